-- release: the owner gives workers up.
-- KEYS 4 the owner's own:.  ARGV 5 owner, then three an entry: id, epoch ('': any), '1' to recover / '0' to delete
-- Replies: one an entry: 1, or 0 when it did not stand under (owner, epoch)
-- Never half-done: an entry in own: and pending at once, or in neither; a load that is still counted.
-- Cost: about 5 µs an entry.
-- Full memory: works.
local own, owner = KEYS[4], ARGV[5]

local reply, load = {}, 0
for i = 6, #ARGV, 3 do
  local id, epoch, recover = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local key = PREFIX .. 'w:' .. id
  local entry = entry_of(redis.pcall('HMGET', key, 'owner', 'epoch', 'recoverable', 'cluster', 'class', 'created', 'load'), key)
  local ours = entry[1] == owner and (epoch == '' or entry[2] == epoch)
  if ours then
    give_up(own, id, recover and entry[3] == '1', entry[4], entry[5], entry[6])
    load = load + (whole(entry[7]) or 0)
  end
  reply[#reply + 1] = ours and 1 or 0
end
add_load(owner, -load)
hint_waiting()
return reply
