-- redrive: puts a parked turn's messages at the front of their mailbox again, exactly once: whoever deletes the dead
-- letter does it. The dedupe keys and the mailbox limit are not asked: these messages were accepted long ago.
--
-- KEYS  1 dead, 2 turn, 3 ready, 4 mail
-- ARGV  1 the dead letter's entry, 2 conversation, 3… messages (JSON)
-- Returns 1, or 0: no such dead letter any more.
-- The pinned messages of a running turn, or of one whose reply is committed, stay in front: settle trims by count.

if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local turn, mail, pinned = KEYS[2], KEYS[4], {}
if redis.call('HEXISTS', turn, 'fence') == 1 or redis.call('HEXISTS', turn, 'reply') == 1 then
  for i = 1, tonumber(redis.call('HGET', turn, 'size')) do
    pinned[i] = redis.call('LPOP', mail)
  end
end
for i = #ARGV, 3, -1 do
  redis.call('LPUSH', mail, ARGV[i])
end
for i = #pinned, 1, -1 do
  redis.call('LPUSH', mail, pinned[i])
end
if redis.call('HEXISTS', turn, 'ticket') == 0 then
  issue_ticket(turn, KEYS[3], ARGV[2])
end
return 1
