-- lead: leads if nobody does, and goes on if its caller does.
--
-- KEYS  1 leader
-- ARGV  1 the caller's mark, 2 the lease (ms)
-- Returns 1, or 0: another leads.

local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
