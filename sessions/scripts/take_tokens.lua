-- take_tokens: takes one token of each bucket, of all or of none.
--
-- KEYS  one a bucket
-- ARGV  for each bucket: how often a token comes back (microseconds), how many tokens fit in
-- Returns 0: taken; else how many microseconds until all have one. A bucket is the moment at which it is full again, and
-- is forgotten then; it is never emptier than empty, though the clock was set back or its measures were larger before.

local now, wait, full_at = now_us(), 0, {}
for i, bucket in ipairs(KEYS) do
  local every, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full = tonumber(redis.call('GET', bucket) or 0)
  full_at[i] = math.min(math.max(full, now), now + burst * every)
  wait = math.max(wait, full_at[i] - now - (burst - 1) * every)
end
if wait > 0 then
  return wait
end
for i, bucket in ipairs(KEYS) do
  local full = full_at[i] + ARGV[2 * i - 1]
  redis.call('SET', bucket, whole(full), 'PX', whole(math.ceil((full - now) / 1000)))
end
return 0
