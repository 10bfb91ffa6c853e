-- swap_token: replaces an access token if it is still the one that its caller found stale.
--
-- KEYS  1 token (hash: value, expires_at in microseconds)
-- ARGV  1 the stale value ('' for none stored), 2 the fresh value, 3 when it expires (microseconds), 4 when to forget it (ms)
-- Returns 1, or 0: another was faster.

if (redis.call('HGET', KEYS[1], 'value') or '') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'expires_at', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
return 1
