-- Composed in front of every script by sessions/scripts.py: the clock, the fence, tickets and the journal.
--
-- The lease of a turn is a pending entry of the ready stream (group `workers`) plus the field `fence` of the turn's
-- hash. A script that acts for a leaseholder takes KEYS[1] = turn, KEYS[2] = ready and ARGV[1] = entry, ARGV[2] =
-- consumer, ARGV[3] = fence; it returns false, and has changed nothing, when the lease is another's by now.
--
-- Fields of the turn's hash: ticket (the ready entry's id, or 'later'), fence, size (messages pinned), tries,
-- abandoned, since (ms), reason (of the last postponement), key, reply, fallback, part:<n>.

local GROUP = 'workers'
local JOURNAL_LENGTH = 10000
local JOURNAL_SLACK = 1000

-- Milliseconds since the epoch; Redis's clock is the engine's only one.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A number without the exponent that Lua would write from 1e14 on.
local function whole(number)
  return string.format('%.0f', number)
end

-- The consumer that holds the entry, or nil. A flushed database has no group, which raises: nobody holds it.
local function owner(ready, entry)
  local pending = redis.pcall('XPENDING', ready, GROUP, entry, entry, 1)
  if pending.err or #pending == 0 then
    return nil
  end
  return pending[1][2]
end

-- Both are needed: the owner changes when another takes the entry, the fence when the same consumer claims again.
local function holds(turn, ready, entry, consumer, fence)
  return redis.call('HGET', turn, 'fence') == fence and owner(ready, entry) == consumer
end

-- Starts the lease's time anew. JUSTID leaves the delivery counter alone.
local function prolong(ready, entry, consumer)
  redis.call('XCLAIM', ready, GROUP, consumer, 0, entry, 'JUSTID')
end

local function issue_ticket(turn, ready, conversation)
  redis.call('HSET', turn, 'ticket', redis.call('XADD', ready, '*', 'conversation', conversation))
end

local function drop_ticket(ready, entry)
  redis.call('XACK', ready, GROUP, entry)
  redis.call('XDEL', ready, entry)
end

-- The states of the reply's parts as one JSON array; each is stored as JSON already.
local function parts_json(turn)
  local parts = {}
  while true do
    local part = redis.call('HGET', turn, 'part:' .. #parts)
    if not part then
      return '[' .. table.concat(parts, ',') .. ']'
    end
    parts[#parts + 1] = part
  end
end

-- Whether stream id a is older than b.
local function older(a, b)
  local a_ms, a_seq = a:match('(%d+)-(%d+)')
  local b_ms, b_seq = b:match('(%d+)-(%d+)')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or (a_ms == b_ms and tonumber(a_seq) < tonumber(b_seq))
end

-- The oldest id that some reader of the journal still needs, or nil when nobody reads it.
local function slowest_reader(journal)
  local slowest = nil
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', journal)) do
    local needs = group[8]
    if group[6] > 0 then
      needs = redis.call('XPENDING', journal, group[2])[2]
    end
    if not slowest or older(needs, slowest) then
      slowest = needs
    end
  end
  return slowest
end

local function trim_journal(journal)
  local surplus = redis.call('XLEN', journal) - JOURNAL_LENGTH
  if surplus < JOURNAL_SLACK then
    return
  end
  local slowest = slowest_reader(journal)
  if slowest then
    redis.call('XTRIM', journal, 'MINID', '~', slowest, 'LIMIT', surplus)
  else
    redis.call('XTRIM', journal, 'MAXLEN', JOURNAL_LENGTH)
  end
end

local function note(journal, turn, conversation, outcome, reason)
  local known = redis.call('HMGET', turn, 'size', 'tries', 'since', 'key')
  redis.call('XADD', journal, '*', 'conversation', conversation, 'outcome', outcome, 'reason', reason,
    'messages', known[1], 'tries', known[2], 'since', known[3], 'reply', known[4] or '', 'parts', parts_json(turn))
  trim_journal(journal)
end

-- Adds ARGV from number `first` on to a conversation's history, of which the newest `keep` stay; its time starts anew.
local function remember(conversation, session, ttl, keep, first)
  if redis.call('EXISTS', conversation) == 0 then
    redis.call('RPUSH', conversation, session)
  end
  for i = first, #ARGV do
    redis.call('RPUSH', conversation, ARGV[i])
  end
  if redis.call('LLEN', conversation) > keep + 1 then
    session = redis.call('LPOP', conversation)
    redis.call('LTRIM', conversation, -keep, -1)
    redis.call('LPUSH', conversation, session)
  end
  redis.call('PEXPIRE', conversation, ttl)
end

-- Ends a turn: its messages leave the mailbox, its ticket goes, and what arrived meanwhile gets a new one.
local function finish(turn, ready, mail, entry, conversation)
  redis.call('LTRIM', mail, redis.call('HGET', turn, 'size'), -1)
  drop_ticket(ready, entry)
  redis.call('DEL', turn)
  if redis.call('EXISTS', mail) == 1 then
    issue_ticket(turn, ready, conversation)
  end
end
