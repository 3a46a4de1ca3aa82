-- confirm: the first activation of workers ended well: whatever makes them again from here on is a recovery.
-- KEYS 4… entries.  ARGV 5 owner, then one an entry: epoch
-- Replies: one an entry: 1, or 0 when it does not stand under (owner, epoch)
-- States: placing and active keep their state; pending, asleep and quarantined have no owner, so they do not stand there.
-- Cost: about 8 µs, 2 µs an entry.
-- Full memory: works.
local owner = padded(ARGV[5])

local reply = {}
for i = 4, #KEYS do
  local entry = read_entry(KEYS[i], HEAD)
  local ours = entry and is_owned_by(entry, owner) and epoch_of(entry) == tonumber(ARGV[i + 2])
  -- The cause, and no attempts.
  if ours then redis.call('SETRANGE', KEYS[i], 1, '1' .. string.sub(entry, 3, 55) .. '000000') end
  reply[i - 3] = ours and 1 or 0
end
return reply
