-- register: joins the namespace with a lease; repeating it renews.
-- ARGV 4 incarnation, 5 broker (escaped), 6 record, 7 ttl in ms, 8 schema, 9 generation, 10 secret (9, 10: used by the first)
-- Replies: {'joined', now, expires, restart number, generation, secret}
--          {'used', incarnation, record, expires}: another life of this broker has a valid lease; nothing changed
--          {'schema', version}: the namespace belongs to another version; nothing changed
-- Never half-done: a lease without record, a record without its place in load:<cluster>.
-- Cost: one HGETALL of the brokers, about 1 µs each.
local incarnation, broker, record, ttl = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local schema, generation, secret = ARGV[8], ARGV[9], ARGV[10]

local found = redis.call('HGET', META, 'schema')
if found and found ~= schema then return {'schema', found} end

local holder, holder_record
local all = redis.call('HGETALL', BROKERS)
for i = 1, #all, 2 do
  local same = string.match(all[i + 1], '^[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):') == broker
  if same and all[i] ~= incarnation and valid(all[i]) and (not holder or all[i] < holder) then
    holder, holder_record = all[i], all[i + 1]
  end
end
if holder then return {'used', holder, holder_record, text(lease(holder))} end

redis.call('HSETNX', META, 'schema', schema)
redis.call('HSETNX', META, 'generation', generation)
redis.call('HSETNX', META, 'secret', secret)
redis.call('ZADD', LEASES, text(now + ttl), incarnation)
local sum
local before, cluster = cluster_of(incarnation), string.match(record, '^([^:]*):')
if before then
  sum = take_load(incarnation, before)
else
  sum = redis.call('HGET', META, 'left:' .. incarnation) or '0'
  redis.call('HDEL', META, 'left:' .. incarnation)
end
redis.call('HSET', BROKERS, incarnation, record)
redis.call('ZADD', load_key(cluster), text(tonumber(sum) or 0), incarnation)
hint('members')
local meta = redis.call('HMGET', META, 'restart', 'generation', 'secret')
return {'joined', text(now), text(now + ttl), meta[1] or '0', meta[2], meta[3]}
