-- depths: how much of one shard is where.
--
-- KEYS  1 ready, 2 later, 3 dead, 4 reminders
-- ARGV  none
-- Returns {waiting, leased, later, dead, reminders, age in ms of the oldest waiting ticket}. An entry's id is when it was
-- issued. Tickets and reminders share `later`, and each reminder has its message.

local leased, delivered = 0, '0-0'
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err and #groups > 0 then
  leased, delivered = groups[1][6], groups[1][8]
end
local reminders = redis.call('HLEN', KEYS[4])
local age = 0
local oldest = redis.call('XRANGE', KEYS[1], '(' .. delivered, '+', 'COUNT', 1)[1]
if oldest then
  age = math.max(0, now_ms() - tonumber(oldest[1]:match('%d+')))
end
return {
  redis.call('XLEN', KEYS[1]) - leased,
  leased,
  redis.call('ZCARD', KEYS[2]) - reminders,
  redis.call('XLEN', KEYS[3]),
  reminders,
  age,
}
