-- leave: removes one's own lease and record, then salvages a part of one's workers.
-- KEYS 4 own: of the one that leaves.  ARGV 5 incarnation, 6 fate (salvage.lua), 7 limit
-- Replies: how many entries are left
-- States: as in evict.
-- Never half-done: as in evict.
-- Cost: about 8 µs an entry.
-- Full memory: works.
local own, incarnation, fate, limit = KEYS[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

if dismiss(incarnation, 'left') then hint('members') end
await_no_more(incarnation)
local _, _, remaining = salvage(own, incarnation, fate, limit)
return text(remaining)
