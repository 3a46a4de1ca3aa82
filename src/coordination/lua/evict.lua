-- evict: removes a dead incarnation and salvages a part of its workers; anybody may go on with it.
-- KEYS 4 own: of the dead.  ARGV 5 evictor ('': the next life of the same broker), 6 dead, 7 the lease that it was seen with ('' when
--      it ran out), 8 limit, 9 expected now in ms ('': any), 10 tolerance in ms, 11 server of the proof ('': none)
-- Replies: {'unsettled'}, {'stranger'}: the evictor has no valid lease, {'off', now}, {'alive', expires}: also what was
--          not seen with this lease, run out or not, and what is strict and has a valid one; nothing changed
--          {'outage', until}: more than half of three or more leases ran out together; nothing changed
--          {'evicted', recovered, deleted, remaining, then id and deaths of each that is quarantined}
-- States: placing and active go to pending, or to asleep where they are kept and not recoverable, or are quarantined by the third death
--          that accuses the worker alone; others have no owner
-- Never half-done: a lease without record or the reverse; an entry in own: and pending at once, or in neither.
-- Cost: about 8 µs an entry.
-- Full memory: works.
local own, by, dead, seen, limit = KEYS[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local expected, tolerance, server = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
-- From so many members on it is suspicious when more than half of them fall silent together.
local MANY = 3

if by ~= '' then
  if unsettled() or server ~= '' and server ~= SERVER then return {'unsettled'} end
  if not valid(by) then return {'stranger'} end
  if expected and math.abs(now - expected) > tolerance then return {'off', text(now)} end
end
local expires = lease(dead)
local record = redis.call('HGET', BROKERS, dead)
if expires then expires = cut(dead, expires, record) end
local renewed = seen and expires ~= seen
if expires and (renewed or expires > now and (not seen or is_strict(record))) then return {'alive', text(expires)} end
-- Who fell silent within half a lease of each other fell silent together: renewals lie up to so much apart. Rather the server
-- or the network was away: they have one more lease's time to come back.
if expected and expires then
  local ttl = ttl_of(record) or 0
  local recent = now + math.floor(ttl / 2)
  local members, silent = redis.call('ZCARD', LEASES), redis.call('ZCOUNT', LEASES, '-inf', text(recent))
  if lease(by) <= recent then silent = silent - 1 end
  if members >= MANY and 2 * silent > members and expires + ttl > now then return {'outage', text(expires + ttl)} end
end
local before, version = dismiss(dead, 'dead')
if before then hint('dead:' .. dead .. ':' .. before .. ':' .. version) end
await_no_more(dead)
local recovered, deleted, remaining, quarantined = salvage(own, dead, '3', limit)
return {'evicted', text(recovered), text(deleted), text(remaining), unpack(quarantined)}
