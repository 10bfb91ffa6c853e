-- sight: remembers that the platform spoke of a part of ours.
--
-- KEYS  1 observed
-- ARGV  1 the platform's id of it, 2 how long it is kept (ms)
-- Returns 1.

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
