-- withdraw: takes back a placement that was not delivered.
-- KEYS 4 the owner's own:, 5 the entry.  ARGV 5 owner, 6 epoch, 7 id
-- States: only placing is taken back; all others stay.
-- Replies: 1, or 0 when it is no longer placing under (owner, epoch)
-- Never half-done: as in release.
-- Cost: about 6 µs.
-- Full memory: works.
local own, owner, epoch, id = KEYS[4], ARGV[5], ARGV[6], ARGV[7]

local entry = read_entry(id)
if entry.owner ~= owner or entry.epoch ~= epoch or entry.state ~= 'placing' then return 0 end
local recover = entry.cause == '1' or (whole(entry.attempt) or 0) > 1
-- It waited before, whatever it says of itself.
if recover then entry.recoverable = '1' end
give_up(own, owner, id, recover and '1' or '0', entry)
add_load(owner, -(whole(entry.load) or 0))
hint_waiting()
return 1
