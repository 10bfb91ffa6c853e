-- may_try: whether a send is worth a try. Of all who ask while an alarm stands, one at a time is told so.
--
-- KEYS  1 alarms
-- ARGV  1 channel
-- Returns 0: there is no alarm, or the caller is the one that tries; else how long to wait (ms).

local alarms, channel = KEYS[1], ARGV[1]
local known = redis.call('HMGET', alarms, 'probe_at:' .. channel, 'every:' .. channel)
if not known[1] then
  return 0
end
local now = now_ms()
if now < tonumber(known[1]) then
  return known[1] - now
end
redis.call('HSET', alarms, 'probe_at:' .. channel, now + known[2])
return 0
