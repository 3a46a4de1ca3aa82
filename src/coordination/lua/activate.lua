-- activate: the owner takes up workers that stand under it.
-- KEYS 4… entries.  ARGV 5 owner
-- Replies: one an entry: {cause, class, cluster, epoch, created, recoverable, attributes, attempt, deaths or nil, returns or nil}, or
--          nil when it stands elsewhere; 1 when it cannot be read: it stays as it is
--          0: what stands here may be from the past; nothing changed
-- States: placing becomes active, active stays; pending and quarantined have no owner, so they stand elsewhere.
-- Cost: about 3 µs an entry.
-- Full memory: works.
local owner = ARGV[5]

if unsettled() then return 0 end
local reply = {}
for i = 4, #KEYS do
  local entry = entry_of(redis.pcall('HMGET', KEYS[i], 'cause', 'class', 'cluster', 'epoch', 'created', 'recoverable', 'attributes',
    'attempt', 'deaths', 'returns', 'owner', 'state'), KEYS[i])
  if entry[11] == owner and not is_sound(entry[2], entry[3], entry[4], entry[5], entry[7]) then
    reply[i - 3] = 1
  elseif entry[11] == owner then
    if entry[12] ~= 'active' then redis.call('HSET', KEYS[i], 'state', 'active') end
    entry[11], entry[12] = nil, nil
    reply[i - 3] = entry
  else
    reply[i - 3] = false
  end
end
return reply
