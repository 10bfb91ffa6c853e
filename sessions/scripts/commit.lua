-- commit: stores the reply, the state of its parts and the conversation's new entries, before the first byte is sent.
--
-- KEYS  1 turn, 2 ready, 3 mail, 4 conversation, 5 recent, 6 pause
-- ARGV  1 entry, 2 consumer, 3 fence, 4 gather (1 or 0; 2: neither that, nor asking who owns the conversation),
--       5 fresh (1 or 0), 6 session id, 7 session TTL (ms), 8 entries of history to keep, 9 how long a text is recent (ms),
--       10 reply key, 11 reply (JSON), 12 fallback, 13 number of parts, then the parts' states (JSON), the parts'
--       digests, the history entries (JSON)
-- Returns {}: committed; the turn's messages: more arrived, all are pinned now and nothing was stored; false: lease lost;
-- 0: a human owns the conversation, and nothing was stored.
-- A turn has one reply for ever. The same commit again (its answer was lost) changes nothing; another reply is refused as a
-- lost lease, so that the next claim sends what was stored first.

local turn, ready, mail, conversation, recent = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local entry, consumer = ARGV[1], ARGV[2]
if not holds(turn, ready, entry, consumer, ARGV[3]) then
  return false
end
prolong(ready, entry, consumer)
local stored = redis.call('HGET', turn, 'reply')
if stored then
  return stored == ARGV[11] and {} or false
end
if ARGV[4] ~= '2' and redis.call('EXISTS', KEYS[6]) == 1 then
  return 0
end
local length = redis.call('LLEN', mail)
if ARGV[4] == '1' and length > tonumber(redis.call('HGET', turn, 'size')) then
  redis.call('HSET', turn, 'size', length)
  return redis.call('LRANGE', mail, 0, -1)
end

local parts = tonumber(ARGV[13])
local now = now_ms()
redis.call('HSET', turn, 'key', ARGV[10], 'reply', ARGV[11], 'fallback', ARGV[12])
for i = 1, parts do
  redis.call('HSET', turn, 'part:' .. (i - 1), ARGV[13 + i])
  redis.call('ZADD', recent, now, ARGV[13 + parts + i])
end
redis.call('ZREMRANGEBYSCORE', recent, '-inf', now - ARGV[9])
redis.call('PEXPIRE', recent, ARGV[9])

if ARGV[5] == '1' then
  redis.call('DEL', conversation)
end
remember(conversation, ARGV[6], ARGV[7], tonumber(ARGV[8]), 14 + 2 * parts)
return {}
