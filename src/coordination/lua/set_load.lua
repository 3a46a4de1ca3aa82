-- set_load: new loads of workers; the owner's sum follows.
-- KEYS 4… entries.  ARGV 5 owner, then two an entry: epoch, load
-- Replies: one an entry: 1, or 0 when it did not stand under (owner, epoch)
-- Never half-done: a sum that differs from the loads.
-- Cost: about 3 µs an entry.
-- Full memory: works.
local owner = ARGV[5]

local reply, change = {}, 0
for i = 4, #KEYS do
  local epoch, load = ARGV[i * 2 - 2], ARGV[i * 2 - 1]
  local entry = entry_of(redis.pcall('HMGET', KEYS[i], 'owner', 'epoch', 'load'), KEYS[i])
  local ours = entry[1] == owner and entry[2] == epoch
  if ours and entry[3] ~= load then
    redis.call('HSET', KEYS[i], 'load', load)
    change = change + tonumber(load) - (whole(entry[3]) or 0)
  end
  reply[i - 3] = ours and 1 or 0
end
add_load(owner, change)
return reply
