-- park: moves the turn's messages to the dead letters and ends the turn.
--
-- KEYS  1 turn, 2 ready, 3 mail, 4 journal, 5 dead
-- ARGV  1 entry, 2 consumer, 3 fence, 4 conversation, 5 reason, 6 detail
-- Returns 1, or false: lease lost. A dead letter holds all that redrive needs; its id tells when it was parked.

local turn = KEYS[1]
if not holds(turn, KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then
  return false
end
local known = redis.call('HMGET', turn, 'size', 'tries', 'since', 'reply', 'fallback')
local messages = redis.call('LRANGE', KEYS[3], 0, known[1] - 1)
redis.call('XADD', KEYS[5], '*', 'conversation', ARGV[4], 'reason', ARGV[5], 'detail', ARGV[6], 'tries', known[2],
  'since', known[3], 'messages', '[' .. table.concat(messages, ',') .. ']',
  'reply', known[4] or '', 'fallback', known[5] or '', 'parts', parts_json(turn))
note(KEYS[4], turn, ARGV[4], 'parked', ARGV[5])
finish(turn, KEYS[2], KEYS[3], ARGV[1], ARGV[4])
return 1
