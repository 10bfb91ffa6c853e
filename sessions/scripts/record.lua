-- record: notes the state of one part of the committed reply.
--
-- KEYS  1 turn, 2 ready
-- ARGV  1 entry, 2 consumer, 3 fence, 4 the part's number, 5 its state (JSON)
-- Returns 1, or false: lease lost. The lease's time starts anew, so that a send that was just marked has all of it.

if not holds(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then
  return false
end
redis.call('HSET', KEYS[1], 'part:' .. ARGV[4], ARGV[5])
prolong(KEYS[2], ARGV[1], ARGV[2])
return 1
