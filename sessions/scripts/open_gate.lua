-- open_gate: leaves a turnstile, if it is still its caller's.
--
-- KEYS  1 gate
-- ARGV  1 the caller's mark
-- Returns 1, or 0: the caller took too long and lost it.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
