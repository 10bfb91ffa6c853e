-- take_errand: says that the connection is up, and takes the oldest errand that is still worth running.
--
-- KEYS  1 errands, 2 connected
-- ARGV  1 for how long the connection counts as up (ms)
-- Returns the errand as it is kept, or false: there is none.

local errands = KEYS[1]
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
local now = now_ms()
while true do
  local errand = redis.call('LPOP', errands)
  if not errand or tonumber(errand:match('^%d+')) > now then
    return errand
  end
end
