-- grow: puts a text in place of what an answer was so far. Who finishes it first has finished it for all.
--
-- KEYS  1 growth
-- ARGV  1 text, 2 finished (1 or 0)
-- Returns 1, or 0: there is no such answer, or it is finished.

local growth = KEYS[1]
if redis.call('HGET', growth, 'finished') ~= '0' then
  return 0
end
redis.call('HSET', growth, 'text', ARGV[1], 'finished', ARGV[2])
return 1
