-- take_tokens: takes one token of each bucket, of all or of none.
--
-- KEYS  one a bucket
-- ARGV  for each bucket: how often a token comes back (microseconds), how many tokens fit in
-- Returns 0: taken; else how many microseconds until all have one. A bucket is the moment at which it is full again, and
-- is forgotten then; it is never emptier than empty, though the clock was set back or its measures were larger before.
-- What is full again within a minute is neither written to disk nor told to replicas: each send would wait for one more
-- sync, and a restart only lets go out a minute early what would have.

local FORGIVEN = 60000000

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
local last = now
for i = 1, #KEYS do
  full_at[i] = full_at[i] + ARGV[2 * i - 1]
  last = math.max(last, full_at[i])
end
if last - now <= FORGIVEN then
  redis.set_repl(redis.REPL_NONE)
end
for i, bucket in ipairs(KEYS) do
  redis.call('SET', bucket, whole(full_at[i]), 'PX', whole(math.ceil((full_at[i] - now) / 1000)))
end
return 0
