-- unschedule: calls a waiting reminder off. Its name stays taken, so that a turn that is tried again does not set it anew.
--
-- KEYS  1 later, 2 reminders, 3 seen (of the name)
-- ARGV  1 the reminder's member, 2 how long the name stays taken (ms)
-- Returns 1, or 0: nothing of that name waits.

redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then
  return 0
end
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
return 1
