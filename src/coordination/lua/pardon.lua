-- pardon: frees a worker that is quarantined, or that waits because of its history.
-- KEYS 4 the entry.  ARGV 5 id
-- Replies: 1, or 0 when it is neither (nothing changed)
-- States: quarantined, and pending where it waits for its time, become pending at once; all others stay.
-- Never half-done: an entry that waits twice, or nowhere.
-- Cost: about 8 µs.
-- Full memory: works.
local key, id = KEYS[4], ARGV[5]

local entry = redis.call('HMGET', key, 'state', 'cluster', 'class', 'created', 'epoch')
if entry[1] ~= 'quarantined' and entry[1] ~= 'pending' then return 0 end
if not is_sound(entry[3], entry[2], entry[5], entry[4], '') then return 0 end
local later = later_key(entry[2], entry[3])
local waited = due_of(later, id) ~= nil
zrem(later, id)
if entry[1] == 'pending' and not waited then return 0 end
redis.call('HDEL', key, 'deaths', 'returns')
redis.call('HSET', key, 'state', 'pending')
zadd(pending_key(entry[2], entry[3]), entry[4], id)
local waiting = redis.call('ZCARD', pending_key(entry[2], entry[3])) + due_in(later)
hint('pending:' .. entry[2] .. ':' .. entry[3] .. ':' .. text(waiting) .. ':' .. id)
return 1
