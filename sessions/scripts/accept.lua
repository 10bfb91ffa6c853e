-- accept: stores each new message of one conversation once, and makes sure that the conversation has a ticket.
--
-- KEYS  1 mail, 2 turn, 3 ready, 4… seen (one a message)
-- ARGV  1 conversation, 2 mailbox limit, 3 dedupe horizon (ms), 4… messages (JSON, in the order of the seen keys)
-- Returns one number a message: 1 new, 0 duplicate, -1 mailbox full (and not marked as seen, so that the platform's
-- next delivery has its chance).

local conversation, limit, horizon = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local length = redis.call('LLEN', KEYS[1])
local verdicts = {}
for i = 4, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    verdicts[i - 3] = 0
  elseif length >= limit then
    verdicts[i - 3] = -1
  else
    redis.call('SET', KEYS[i], '1', 'PX', horizon)
    length = redis.call('RPUSH', KEYS[1], ARGV[i])
    verdicts[i - 3] = 1
  end
end
if length > 0 and redis.call('HEXISTS', KEYS[2], 'ticket') == 0 then
  issue_ticket(KEYS[2], KEYS[3], conversation)
end
return verdicts
