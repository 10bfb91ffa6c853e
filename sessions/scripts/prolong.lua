-- prolong: starts a leader's lease anew, if it is still its caller's.
--
-- KEYS  1 leader
-- ARGV  1 the caller's mark, 2 the lease (ms)
-- Returns 1, or 0: it ran out, or another leads.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
