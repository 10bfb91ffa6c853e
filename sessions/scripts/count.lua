-- count: adds to one of a month's counts.
--
-- KEYS  1 meter
-- ARGV  1 what is counted, 2 how many, 3 how long the month is kept (ms)
-- Returns the total.

local meter = KEYS[1]
local total = redis.call('HINCRBY', meter, ARGV[1], ARGV[2])
redis.call('PEXPIRE', meter, ARGV[3])
return total
