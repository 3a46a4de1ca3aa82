-- pardon: frees a worker that is quarantined, or that waits because of its history.
-- KEYS 4 the entry.  ARGV 5 id
-- Replies: 1, or 0 when it is neither (nothing changed)
-- States: quarantined, and pending where it waits for its time, become pending at once; all others (asleep among them) stay.
-- Never half-done: an entry that waits twice, or nowhere.
-- Cost: about 15 µs.
-- Full memory: works.
local key, id = KEYS[4], ARGV[5]

local entry = read_entry(key, NEAR)
if not entry then return 0 end
local state, class, cluster = state_of(entry), names_of(key, entry)
if state ~= 'q' and state ~= 'w' or not class then return 0 end
local later, pending = later_key(cluster, class), pending_key(cluster, class)
local waited = due_of(later, id) ~= nil
zrem(later, id)
if state == 'w' and not waited then return 0 end
redis.call('SETRANGE', key, 0, 'w' .. string.sub(entry, 2, 61) .. '00000000')
zadd(pending, text(created_of(entry)), id)
local waiting = redis.call('ZCARD', pending) + due_in(later)
hint('pending:' .. cluster .. ':' .. class .. ':' .. text(waiting) .. ':' .. id)
return 1
