-- member: what stands in the namespace once somebody has joined it.
-- nil when it may be joined, else the answer: it belongs to another version.
local function foreign_schema(schema)
  local found = redis.call('HGET', META, 'schema')
  return found and found ~= schema and {'schema', found} or nil
end

-- Lease and record; the load follows it from wherever it was kept. Made by the first: generation and secret.
local function join(incarnation, record, ttl, schema, generation, secret)
  redis.call('HSETNX', META, 'schema', schema)
  keep_or_set('generation', generation)
  keep_or_set('secret', secret)
  redis.call('HDEL', PREFIX .. 'dead', incarnation)
  redis.call('ZADD', LEASES, text(now + ttl), incarnation)
  local sum
  local before, cluster = cluster_of(incarnation), string.match(record, '^([^:]*):')
  if before then
    sum = text(take_load(incarnation, before))
  else
    sum = redis.call('HGET', META, 'left:' .. incarnation)
    redis.call('HDEL', META, 'left:' .. incarnation)
  end
  redis.call('HSET', BROKERS, incarnation, record)
  redis.call('ZADD', load_key(cluster), text(whole(sum) or 0), incarnation)
  hint('members')
end

local function joined(ttl)
  local meta = redis.call('HMGET', META, 'restart', 'generation', 'secret')
  return {'joined', text(now), text(now + ttl), text(whole(meta[1]) or 0), meta[2], meta[3], SERVER}
end

