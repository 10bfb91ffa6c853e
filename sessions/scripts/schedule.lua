-- schedule: puts a message aside until it is due, unless its name is taken.
--
-- KEYS  1 later, 2 reminders, 3 seen (of the name)
-- ARGV  1 the reminder's member, 2 when it is due (ms), 3 message (JSON)
-- Returns 1, or 0: that name waits already, or came or was called off lately.

if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 or redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
