-- observe: notes how far a message of ours got. Whatever order the updates come in, the farthest stays.
--
-- KEYS  1 status
-- ARGV  1 the rank of what is told now, 2 whether its pricing is told (1 or 0), 3 how long it is kept (ms)
-- Returns {1 or 0: it is farther than was known, 1 or 0: its pricing is told for the first time}. The value is twice the
-- rank, plus one when the pricing was told: there is one for each message of a week, and Redis keeps a number small.

local status, rank, told = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local known = tonumber(redis.call('GET', status) or 0)
local priced = known % 2
local known_rank = (known - priced) / 2
redis.call('SET', status, 2 * math.max(rank, known_rank) + math.max(told, priced), 'PX', ARGV[3])
return { rank > known_rank and 1 or 0, told > priced and 1 or 0 }
