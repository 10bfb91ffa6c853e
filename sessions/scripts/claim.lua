-- claim: leases a taken ticket, pins the turn's size, counts the try, and reads all that the turn needs.
--
-- KEYS  1 turn, 2 ready, 3 mail, 4 conversation, 5 recent, 6 pause
-- ARGV  1 entry, 2 consumer, 3 the new fence, 4 session TTL (ms), 5 how long a text is recent (ms)
-- Returns {messages, conversation, recent with scores, 1 or 0: paused, turn's fields}, or false: the ticket is stale.
-- A turn with a committed reply keeps its pin: that reply answers those messages and no others. The session's TTL starts
-- anew, so that a turn that is tried for long sees the same context each time.

local turn, ready, mail = KEYS[1], KEYS[2], KEYS[3]
local entry, consumer = ARGV[1], ARGV[2]
if owner(ready, entry) ~= consumer then
  return false
end
local length = redis.call('LLEN', mail)
if redis.call('HGET', turn, 'ticket') ~= entry or length == 0 then
  drop_ticket(ready, entry)
  if length == 0 then
    redis.call('DEL', turn)
  end
  return false
end
local size = length
if redis.call('HEXISTS', turn, 'reply') == 1 then
  size = tonumber(redis.call('HGET', turn, 'size'))
end
local now = now_ms()
redis.call('HSET', turn, 'fence', ARGV[3], 'size', size)
redis.call('HINCRBY', turn, 'tries', 1)
redis.call('HINCRBY', turn, 'abandoned', 1)
redis.call('HSETNX', turn, 'since', now)
prolong(ready, entry, consumer)
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return {
  redis.call('LRANGE', mail, 0, size - 1),
  redis.call('LRANGE', KEYS[4], 0, -1),
  redis.call('ZRANGE', KEYS[5], now - ARGV[5], '+inf', 'BYSCORE', 'WITHSCORES'),
  redis.call('EXISTS', KEYS[6]),
  redis.call('HGETALL', turn),
}
