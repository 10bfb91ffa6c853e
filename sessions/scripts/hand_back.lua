-- hand_back: a ticket that was taken but not claimed goes back to the end of the queue, at once.
--
-- KEYS  1 turn, 2 ready
-- ARGV  1 entry, 2 consumer, 3 conversation
-- Returns 1, or 0: it was not ours any more, or stale.

if owner(KEYS[2], ARGV[1]) ~= ARGV[2] then
  return 0
end
local current = redis.call('HGET', KEYS[1], 'ticket') == ARGV[1]
drop_ticket(KEYS[2], ARGV[1])
if current then
  issue_ticket(KEYS[1], KEYS[2], ARGV[3])
end
return current and 1 or 0
