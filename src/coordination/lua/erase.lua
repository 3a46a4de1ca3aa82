-- erase: deletes a worker that has no owner, and all that is stored of it.
-- KEYS 4 the entry.  ARGV 5 id, 6 epoch ('': any)
-- Replies: 1: there is no such worker (any more), or it has another epoch; 0: one may have been forgotten, nothing changed
--          an epoch: it has an owner, nothing changed
-- States: pending, asleep and quarantined are deleted; placing and active have an owner, which ends them.
-- Never half-done: an entry without its data, or the reverse; an id in pending: without an entry.
-- Cost: about 12 µs.
-- Full memory: works.
local key, id, wanted = KEYS[4], ARGV[5], tonumber(ARGV[6])

local entry = read_entry(key, NEAR)
if not entry then return unsettled() and 0 or 1 end
local epoch = epoch_of(entry)
if wanted and epoch ~= wanted then return 1 end
if owner_of(entry) ~= '' then return text(epoch or 0) end
local class, cluster = names_of(key, entry)
if class then
  zrem(pending_key(cluster, class), id)
  zrem(later_key(cluster, class), id)
  forget_timer(id, entry, cluster, class)
end
delete_worker(id, key, entry)
return 1
