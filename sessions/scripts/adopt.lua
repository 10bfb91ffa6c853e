-- adopt: a customer has a new name; what is known of the old one goes on there.
--
-- KEYS  conversation, recent and pause: 1, 2 and 3 of the old, 4, 5 and 6 of the new (of two shards)
-- ARGV  none
-- Returns 1. The context moves unless the new one has its own, which is then newer; of a digest the later time, of the
-- pauses the longer one. All of it is empty at the second time.

if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAMENX', KEYS[1], KEYS[4])
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  local left = math.max(redis.call('PTTL', KEYS[2]), redis.call('PTTL', KEYS[5]))
  redis.call('ZUNIONSTORE', KEYS[5], 2, KEYS[2], KEYS[5], 'AGGREGATE', 'MAX')
  redis.call('PEXPIRE', KEYS[5], left)
  redis.call('DEL', KEYS[2])
end
local left = redis.call('PTTL', KEYS[3])
if left > math.max(0, redis.call('PTTL', KEYS[6])) then
  redis.call('SET', KEYS[6], '1', 'PX', left)
end
redis.call('DEL', KEYS[3])
return 1
