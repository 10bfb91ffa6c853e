-- make_group: makes sure that a ready stream and its consumer group exist; tickets issued before are read too.
--
-- KEYS  1 ready
-- ARGV  none
-- Returns 1 if it was made, 0 if it was there.

local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], GROUP, '0', 'MKSTREAM')
if made.err and not made.err:find('BUSYGROUP', 1, true) then
  return made
end
return made.err and 0 or 1
