-- release: the owner gives workers up.
-- KEYS 4 the owner's own:.  ARGV 5 owner, then three an entry: id, epoch ('': any), fate (salvage.lua)
-- Replies: one an entry: 1, or 0 when it did not stand under (owner, epoch)
-- States: placing and active are given up; pending, asleep and quarantined have no owner, so nobody gives them up.
-- Never half-done: an entry in own: and pending at once, or in neither; a load that is still counted.
-- Cost: about 20 µs, 3 µs an entry and 2 µs a class that the owner hosts.
-- Full memory: works.
local own, owner, name = KEYS[4], ARGV[5], padded(ARGV[5])

local reply, gone, load = {}, {}, 0
for i = 6, #ARGV, 3 do
  local id, epoch, fate = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local key = entry_key(id)
  local entry = read_entry(key, NEAR)
  local ours = entry and is_owned_by(entry, name) and (not epoch or epoch_of(entry) == epoch)
  if ours then
    give_up(owner, id, key, entry, fate)
    gone[#gone + 1] = id
    load = load + load_of(entry)
  end
  reply[#reply + 1] = ours and 1 or 0
end
zrem_all(own, gone)
add_load(owner, -load)
let_wait()
return reply
