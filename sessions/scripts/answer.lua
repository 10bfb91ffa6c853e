-- answer: gives what an errand brought to the process that waits for it, while it does.
--
-- KEYS  1 answers
-- ARGV  1 until when it waits (ms), 2 answer (JSON)
-- Returns 1, or 0: it does not any more. All of a process's answers go with the last one's end, read or not.

local answers, left = KEYS[1], ARGV[1] - now_ms()
if left <= 0 then
  return 0
end
left = math.max(left, redis.call('PTTL', answers))
redis.call('RPUSH', answers, ARGV[2])
redis.call('PEXPIRE', answers, left)
return 1
