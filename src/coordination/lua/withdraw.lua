-- withdraw: takes back a placement that was not delivered.
-- KEYS 4 the owner's own:, 5 the entry.  ARGV 5 owner, 6 epoch, 7 id
-- Replies: 1, or 0 when it is no longer placing under (owner, epoch)
-- Never half-done: as in release.
-- Cost: about 6 µs.
-- Full memory: works.
local own, key, owner, epoch, id = KEYS[4], KEYS[5], ARGV[5], ARGV[6], ARGV[7]

local entry = entry_of(redis.pcall('HMGET', key, 'owner', 'epoch', 'state', 'cause', 'cluster', 'class', 'created', 'load', 'attempt'), key)
if entry[1] ~= owner or entry[2] ~= epoch or entry[3] ~= 'placing' then return 0 end
local waits = entry[4] == '1' or (whole(entry[9]) or 0) > 1
give_up(own, id, waits, entry[5], entry[6], entry[7])
add_load(owner, -(whole(entry[8]) or 0))
hint_waiting()
return 1
