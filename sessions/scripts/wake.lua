-- wake: moves tickets that are due from later to ready. Whoever calls has read the candidates before; each is
-- looked at again here, so that two who call at once move a ticket once.
--
-- KEYS  1 later, 2 ready, 3… turns
-- ARGV  conversations, in the order of the turns
-- Returns how many were moved.

local now, moved = now_ms(), 0
for i, conversation in ipairs(ARGV) do
  local due = redis.call('ZSCORE', KEYS[1], conversation)
  if due and tonumber(due) <= now then
    redis.call('ZREM', KEYS[1], conversation)
    issue_ticket(KEYS[i + 2], KEYS[2], conversation)
    moved = moved + 1
  end
end
return moved
