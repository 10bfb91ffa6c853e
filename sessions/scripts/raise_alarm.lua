-- raise_alarm: a channel cannot send.
--
-- KEYS  1 alarms
-- ARGV  1 channel, 2 reason, 3 how long from one try to the next (ms)
-- Returns 1. Each channel has four fields of the hash: reason, since, every, probe_at (ms).

local alarms, channel, now = KEYS[1], ARGV[1], now_ms()
redis.call('HSETNX', alarms, 'since:' .. channel, now)
redis.call('HSET', alarms, 'reason:' .. channel, ARGV[2], 'every:' .. channel, ARGV[3], 'probe_at:' .. channel,
  now + ARGV[3])
return 1
