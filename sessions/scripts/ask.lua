-- ask: puts an errand where the process that holds a channel's connection finds it.
--
-- KEYS  1 errands, 2 connected
-- ARGV  1 errand (JSON, without its end), 2 how long it is worth running (ms)
-- Returns 1, or 0: nobody is connected. Errands are kept as `<end in ms> <JSON>`, and all of them go with the last one's
-- end, whether or not anybody came for them.

if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
local errands, lasts = KEYS[1], tonumber(ARGV[2])
lasts = math.max(lasts, redis.call('PTTL', errands))
redis.call('RPUSH', errands, whole(now_ms() + ARGV[2]) .. ' ' .. ARGV[1])
redis.call('PEXPIRE', errands, lasts)
return 1
