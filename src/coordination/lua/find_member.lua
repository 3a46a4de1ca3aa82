-- find_member: what is known of one incarnation.
-- ARGV 5 incarnation
-- Replies: {now, generation, '1' when all is settled / '0'} and, when it is registered, record, expires, load
-- Cost: about 6 µs.
-- Full memory: works.
local incarnation = ARGV[5]

local reply = {text(now), redis.call('HGET', META, 'generation') or '', unsettled() and '0' or '1'}
local record, expires = redis.call('HGET', BROKERS, incarnation), lease(incarnation)
if record and expires then
  reply[4], reply[5] = record, text(cut(incarnation, expires, record))
  local cluster = cluster_in(record)
  reply[6] = text(cluster and whole(redis.call('ZSCORE', load_key(cluster), incarnation)) or 0)
end
return reply
