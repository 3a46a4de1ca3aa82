-- set_load: new loads of workers; the owner's sum follows.
-- KEYS 4… entries.  ARGV 5 owner, then two an entry: epoch, load
-- Replies: one an entry: 1, or 0 when it did not stand under (owner, epoch)
-- Never half-done: a sum that differs from the loads.
-- Cost: about 10 µs, 2 µs an entry and a class that the owner hosts.
-- Full memory: works.
local owner = padded(ARGV[5])

local reply, change = {}, 0
for i = 4, #KEYS do
  local epoch, load = tonumber(ARGV[i * 2 - 2]), tonumber(ARGV[i * 2 - 1])
  local entry = read_entry(KEYS[i], HEAD)
  local ours = entry and is_owned_by(entry, owner) and epoch_of(entry) == epoch
  if ours and load_of(entry) ~= load then
    redis.call('SETRANGE', KEYS[i], 19, string.format('%010.0f', load))
    change = change + load - load_of(entry)
  end
  reply[i - 3] = ours and 1 or 0
end
add_load(ARGV[5], change)
return reply
