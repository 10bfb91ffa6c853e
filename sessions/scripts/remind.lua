-- remind: moves reminders that are due into their conversations' mailboxes, and makes sure that each has a ticket. Whoever
-- calls has read the candidates before; each is looked at again here, so that two who call at once move it once. The
-- mailbox limit is not asked: these messages were accepted long ago.
--
-- KEYS  1 later, 2 reminders, 3 ready, then turn, mail and seen (of the name) of each reminder
-- ARGV  1 how long a name stays taken (ms), then member and conversation of each reminder
-- Returns how many were moved.

local now, moved = now_ms(), 0
for i = 1, (#KEYS - 3) / 3 do
  local turn, mail, seen = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3]
  local member, conversation = ARGV[2 * i], ARGV[2 * i + 1]
  local due = redis.call('ZSCORE', KEYS[1], member)
  if due and tonumber(due) <= now then
    local message = redis.call('HGET', KEYS[2], member)
    redis.call('ZREM', KEYS[1], member)
    if message then
      redis.call('HDEL', KEYS[2], member)
      redis.call('SET', seen, '1', 'PX', ARGV[1])
      redis.call('RPUSH', mail, message)
      if redis.call('HEXISTS', turn, 'ticket') == 0 then
        issue_ticket(turn, KEYS[3], conversation)
      end
      moved = moved + 1
    end
  end
end
return moved
