-- brokers: what the tables have of these incarnations.
-- ARGV 5… incarnations
-- Replies: {now, record or '', expires, load, owned workers, record, …}
-- Cost: about 4 µs a broker.
-- Full memory: works: nothing is written.
local reply = {text(now)}
for i = 5, #ARGV do
  local incarnation = ARGV[i]
  local record, n = redis.call('HGET', BROKERS, incarnation) or '', #reply
  local cluster = cluster_in(record)
  reply[n + 1] = record
  reply[n + 2] = text(math.max(lease(incarnation) or 0, 0))
  reply[n + 3] = text(cluster and whole(redis.call('ZSCORE', load_key(cluster), incarnation)) or 0)
  reply[n + 4] = redis.call('ZCARD', PREFIX .. 'own:' .. incarnation)
end
return reply
