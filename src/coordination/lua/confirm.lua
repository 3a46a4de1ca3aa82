-- confirm: the first activation of workers ended well: whatever makes them again from here on is a recovery.
-- KEYS 4… entries.  ARGV 5 owner, then one an entry: epoch
-- Replies: one an entry: 1, or 0 when it does not stand under (owner, epoch)
-- States: placing and active keep their state; pending and quarantined have no owner, so they do not stand there.
-- Cost: about 3 µs an entry.
-- Full memory: works.
local owner = ARGV[5]

local reply = {}
for i = 4, #KEYS do
  local entry = entry_of(redis.pcall('HMGET', KEYS[i], 'owner', 'epoch'), KEYS[i])
  local ours = entry[1] == owner and entry[2] == ARGV[i + 2]
  if ours then redis.call('HMSET', KEYS[i], 'cause', '1', 'attempt', '0') end
  reply[i - 3] = ours and 1 or 0
end
return reply
