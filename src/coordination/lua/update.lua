-- update: replaces the record of an incarnation that is registered.
-- ARGV 5 incarnation, 6 record
-- Replies: 1, or 0 when it has neither record nor lease (nothing changed)
-- Never half-done: a load that stands in the zset of another cluster than the record's.
-- Cost: O(log brokers).
-- Full memory: works.
local incarnation, record = ARGV[5], ARGV[6]

local before, cluster = cluster_of(incarnation), string.match(record, '^([^:]*):')
if not before and not redis.call('ZSCORE', LEASES, incarnation) then return 0 end
if not before then
  -- Another program removed the record, or wrote over it.
  redis.call('ZADD', load_key(cluster), text(whole(redis.call('HGET', META, 'left:' .. incarnation)) or 0), incarnation)
  redis.call('HDEL', META, 'left:' .. incarnation)
elseif before ~= cluster then
  redis.call('ZADD', load_key(cluster), text(take_load(incarnation, before)), incarnation)
end
redis.call('HSET', BROKERS, incarnation, record)
hint('members')
return 1
