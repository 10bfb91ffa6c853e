-- accept_page: stores a page of messages of many conversations, and where the next page begins; all of it or nothing.
--
-- KEYS  1 bookmark, then mail, turn and ready of each conversation, then seen of each message (of several shards)
-- ARGV  1 the bookmark's value, 2 mailbox limit, 3 dedupe horizon (ms), 4 number of conversations, then the conversations,
--       then, for each message, its conversation's number and itself (JSON)
-- Returns one number a message: 1 new, 0 duplicate; where a mailbox of a new message was full before, nothing is stored,
-- and it is 0 for a duplicate and -1 for every other. What a page adds is not counted, else one that is longer than the
-- limit would be refused for ever.

local limit, horizon, conversations = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local first_seen, first_message = 2 + 3 * conversations, 5 + conversations

local full = {}
for i = 1, conversations do
  full[i] = redis.call('LLEN', KEYS[3 * i - 1]) >= limit
end
local refused, fits = {}, true
for i = 1, #KEYS - first_seen + 1 do
  local known = redis.call('EXISTS', KEYS[first_seen + i - 1]) == 1
  refused[i] = known and 0 or -1
  fits = fits and (known or not full[tonumber(ARGV[first_message + 2 * (i - 1)])])
end
if not fits then
  return refused
end

local verdicts = {}
for i = 1, #refused do
  local seen, mail = KEYS[first_seen + i - 1], KEYS[3 * ARGV[first_message + 2 * (i - 1)] - 1]
  verdicts[i] = 0
  if redis.call('SET', seen, '1', 'PX', horizon, 'NX') then
    redis.call('RPUSH', mail, ARGV[first_message + 2 * (i - 1) + 1])
    verdicts[i] = 1
  end
end
for i = 1, conversations do
  local mail, turn = KEYS[3 * i - 1], KEYS[3 * i]
  if redis.call('EXISTS', mail) == 1 and redis.call('HEXISTS', turn, 'ticket') == 0 then
    issue_ticket(turn, KEYS[3 * i + 1], ARGV[4 + i])
  end
end
redis.call('SET', KEYS[1], ARGV[1])
return verdicts
