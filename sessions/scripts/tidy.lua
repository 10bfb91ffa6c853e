-- tidy: forgets consumers that hold nothing and have not asked for long. Looking and deleting must be one step: a
-- consumer that is deleted takes its pending entries, and so its tickets, with it.
--
-- KEYS  1 ready
-- ARGV  1 how long a consumer may be silent (ms)
-- Returns how many were forgotten.

local forgotten = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], GROUP)) do
  if consumer[4] == 0 and consumer[6] > tonumber(ARGV[1]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], GROUP, consumer[2])
    forgotten = forgotten + 1
  end
end
return forgotten
