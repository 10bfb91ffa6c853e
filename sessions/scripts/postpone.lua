-- postpone: gives the ticket back, to come again after a delay, or at once.
--
-- KEYS  1 turn, 2 ready, 3 later
-- ARGV  1 entry, 2 consumer, 3 fence, 4 conversation, 5 delay (ms), 6 reason
-- Returns 1, or false: lease lost. Whoever gives back did not die: the count of abandoned claims starts anew.

local turn, delay = KEYS[1], tonumber(ARGV[5])
if not holds(turn, KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then
  return false
end
drop_ticket(KEYS[2], ARGV[1])
redis.call('HDEL', turn, 'fence', 'abandoned')
redis.call('HSET', turn, 'reason', ARGV[6])
if delay > 0 then
  redis.call('HSET', turn, 'ticket', 'later')
  redis.call('ZADD', KEYS[3], now_ms() + delay, ARGV[4])
else
  issue_ticket(turn, KEYS[2], ARGV[4])
end
return 1
