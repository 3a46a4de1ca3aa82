-- activate: the owner takes up workers that stand under it.
-- KEYS 4… entries.  ARGV 5 owner
-- Replies: one an entry: {cause, class, cluster, epoch, created, recoverable, attributes, attempt}, or nil when it stands elsewhere;
--          1 when it cannot be read: it stays as it is
--          0: what stands here may be from the past; nothing changed
-- Cost: about 3 µs an entry.
-- Full memory: works.
local owner = ARGV[5]

if unsettled() then return 0 end
local reply = {}
for i = 4, #KEYS do
  local entry = entry_of(redis.pcall('HMGET', KEYS[i], 'cause', 'class', 'cluster', 'epoch', 'created', 'recoverable', 'attributes',
    'attempt', 'owner', 'state'), KEYS[i])
  if entry[9] == owner and not is_sound(entry[2], entry[3], entry[4], entry[5], entry[7]) then
    reply[i - 3] = 1
  elseif entry[9] == owner then
    if entry[10] ~= 'active' then redis.call('HSET', KEYS[i], 'state', 'active') end
    entry[9], entry[10] = nil, nil
    reply[i - 3] = entry
  else
    reply[i - 3] = false
  end
end
return reply
