-- update: replaces the record of an incarnation that is registered.
-- ARGV 5 incarnation, 6 record
-- Replies: 1, or 0 when it has neither record nor lease (nothing changed)
-- Never half-done: a load that stands in the zset of another cluster than the record's, or in the sums of other classes.
-- Cost: O(log brokers), 2 µs a class.
-- Full memory: works.
local incarnation, record = ARGV[5], ARGV[6]

-- Another program may have removed the record, or written over it.
local before = redis.call('HGET', BROKERS, incarnation)
if not cluster_in(before) and not redis.call('ZSCORE', LEASES, incarnation) then return 0 end
if before ~= record then
  put_load(incarnation, record, take_load(incarnation, before))
  redis.call('HSET', BROKERS, incarnation, record)
  note_change(incarnation)
  hint('members')
end
return 1
