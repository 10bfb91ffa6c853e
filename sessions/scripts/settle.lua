-- settle: the turn is over. Its messages leave the mailbox, its end is journalled, its ticket goes.
--
-- KEYS  1 turn, 2 ready, 3 mail, 4 journal, and where something is to be remembered 5 conversation
-- ARGV  1 entry, 2 consumer, 3 fence, 4 conversation, 5 outcome, 6 number of the last part ('' for none), 7 its state
--       (JSON); with a fifth key 8 session id, 9 session TTL (ms), 10 entries of history to keep, then the history entries
--       (JSON)
-- Returns 1, or false: lease lost.

if not holds(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]) then
  return false
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'part:' .. ARGV[6], ARGV[7])
end
if KEYS[5] then
  remember(KEYS[5], ARGV[8], ARGV[9], tonumber(ARGV[10]), 11)
end
note(KEYS[4], KEYS[1], ARGV[4], ARGV[5], '')
finish(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[4])
return 1
