-- look: what a member needs to follow the others.
-- ARGV 5 the asking incarnation, 6 generation, 7 server, 8 version of the members that it knows ('': none)
-- Replies: {now, restart number, generation, server, version, '1' when all is settled / '0', claimable, load and record of the
--          asking one ('': none), {unsalvaged incarnations}, {incarnation, expires, … of leases that ran out}, '1' when all members follow / '0' when
--          those that changed, {incarnation, record, …}, {incarnation:dead or incarnation:left, …}}
-- Cost: about 15 µs, 1 µs a class that the asking broker hosts, 2 µs a change.
-- Full memory: works.
local by, generation, server, known, is_first = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[8] == ''
-- Leases that ran out which are named at once.
local OVERDUE = 16

local record, claimable, load = redis.call('HGET', BROKERS, by) or '', 0, '0'
local cluster, classes = string.match(record, '^([^:]*):.*:([^:]*)$')
for class in string.gmatch(classes or '', '[^,]+') do
  claimable = claimable + redis.call('ZCARD', pending_key(cluster, class)) + due_in(later_key(cluster, class))
end
if cluster then load = text(whole(redis.call('ZSCORE', load_key(cluster), by)) or 0) end

local farthest = redis.call('ZREVRANGE', LEASES, 0, 0, 'WITHSCORES')
if farthest[1] then cut(farthest[1], tonumber(farthest[2]), redis.call('HGET', BROKERS, farthest[1])) end
local overdue, found = {}, redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, OVERDUE)
for i = 1, #found, 2 do
  if found[i] ~= by then
    overdue[#overdue + 1] = found[i]
    overdue[#overdue + 1] = text(math.max(tonumber(found[i + 1]), 0))
  end
end

local meta = redis.call('HMGET', META, 'restart', 'generation', 'version', 'horizon')
local version, horizon = whole(meta[3]) or 0, whole(meta[4]) or 0
if meta[2] ~= generation or SERVER ~= server or known and known > version then known = nil end
local complete, records, departed = not known or known < horizon, {}, {}
-- Who knows the members of another database is told of everybody that departed from this one.
if not is_first and (not known or known < version) then
  departed = redis.call('ZRANGEBYSCORE', DEPARTED, known and '(' .. text(known) or '-inf', '+inf')
end
if complete then
  records = redis.call('HGETALL', BROKERS)
elseif known < version then
  for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', CHANGES, '(' .. text(known), '+inf')) do
    records[#records + 1] = incarnation
    records[#records + 1] = redis.call('HGET', BROKERS, incarnation)
  end
end
return {text(now), text(whole(meta[1]) or 0), meta[2] or '', SERVER, text(version), unsettled() and '0' or '1', text(claimable),
  load, record, redis.call('HKEYS', PREFIX .. 'dead'), overdue, complete and '1' or '0', records, departed}
