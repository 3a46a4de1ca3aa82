-- evict: removes a dead incarnation and salvages a part of its workers; anybody may go on with it.
-- KEYS 4 own: of the dead.  ARGV 4 evictor, '' for the next life of the same broker id, 5 dead, 6 the lease that it was seen with, '' when it ran out, 7 limit
-- Replies: {'stranger'}: the evictor has no valid lease; {'alive', expires}: nothing changed
--          {'evicted', recovered, deleted, remaining}
-- Never half-done: a lease without record or the reverse; an entry in own: and pending at once, or in neither.
-- Cost: about 8 µs an entry.
local own, by, dead, seen, limit = KEYS[4], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

if by ~= '' and not valid(by) then return {'stranger'} end
local expires = lease(dead)
if expires and expires > now and expires ~= seen then return {'alive', text(expires)} end
dismiss(dead)
hint('dead:' .. dead)
local recovered, deleted, remaining = salvage(own, dead, true, limit)
return {'evicted', text(recovered), text(deleted), text(remaining)}
