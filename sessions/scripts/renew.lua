-- renew: starts the time of many leases of one shard anew. A lease that another took or claimed is left alone.
--
-- KEYS  1 ready, 2… turns
-- ARGV  1 consumer, then entry and fence of each turn
-- Returns one number a lease: 1 prolonged, 0 lost.

local kept = {}
for i = 2, #KEYS do
  local entry, fence = ARGV[2 * i - 2], ARGV[2 * i - 1]
  kept[i - 1] = 0
  if holds(KEYS[i], KEYS[1], entry, ARGV[1], fence) then
    prolong(KEYS[1], entry, ARGV[1])
    kept[i - 1] = 1
  end
end
return kept
