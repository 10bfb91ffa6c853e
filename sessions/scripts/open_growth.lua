-- open_growth: begins an answer that grows, unless it was begun before.
--
-- KEYS  1 growth
-- ARGV  1 text, 2 how long it can be read (ms)
-- Returns its text, finished (1 or 0) and when it was opened (ms).

local growth = KEYS[1]
if redis.call('EXISTS', growth) == 0 then
  redis.call('HSET', growth, 'text', ARGV[1], 'finished', 0, 'opened_at', now_ms())
  redis.call('PEXPIRE', growth, ARGV[2])
end
return redis.call('HMGET', growth, 'text', 'finished', 'opened_at')
