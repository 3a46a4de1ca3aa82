-- withdraw: takes back a placement that was not delivered.
-- KEYS 4 the owner's own:, 5 the entry.  ARGV 5 owner, 6 epoch, 7 id
-- Replies: 1, or 0 when it is no longer placing under (owner, epoch)
-- Never half-done: as in release.
-- Cost: about 6 µs.
-- Full memory: works.
local own, key, owner, epoch, id = KEYS[4], KEYS[5], ARGV[5], ARGV[6], ARGV[7]

local entry = redis.call('HMGET', key, 'owner', 'epoch', 'state', 'cause', 'cluster', 'class', 'created', 'load', 'attempt')
if entry[1] ~= owner or entry[2] ~= epoch or entry[3] ~= 'placing' then return 0 end
local recover = entry[4] == '1' or (tonumber(entry[9] or nil) or 0) > 1
give_up(own, id, recover, entry[5], entry[6], entry[7])
add_load(owner, -(tonumber(entry[8]) or 0))
if recover then hint('pending') end
return 1
