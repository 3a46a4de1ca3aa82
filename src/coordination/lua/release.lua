-- release: the owner gives workers up.
-- KEYS 4 the owner's own:.  ARGV 5 owner, then three an entry: id, epoch ('': any), fate (salvage.lua)
-- Replies: one an entry: 1, or 0 when it did not stand under (owner, epoch)
-- States: placing and active are given up; pending and quarantined have no owner, so nobody gives them up.
-- Never half-done: an entry in own: and pending at once, or in neither; a load that is still counted.
-- Cost: about 5 µs an entry.
-- Full memory: works.
local own, owner = KEYS[4], ARGV[5]

local reply, load = {}, 0
for i = 6, #ARGV, 3 do
  local id, epoch, fate = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local entry = read_entry(id)
  local ours = entry.owner == owner and (epoch == '' or entry.epoch == epoch)
  if ours then
    give_up(own, owner, id, fate, entry)
    load = load + (whole(entry.load) or 0)
  end
  reply[#reply + 1] = ours and 1 or 0
end
add_load(owner, -load)
hint_waiting()
return reply
