-- clear_alarm: a channel works again.
--
-- KEYS  1 alarms
-- ARGV  1 channel
-- Returns 1, or 0: it had no alarm.

local alarms, channel = KEYS[1], ARGV[1]
return math.min(1, redis.call('HDEL', alarms, 'since:' .. channel, 'reason:' .. channel, 'every:' .. channel,
  'probe_at:' .. channel))
