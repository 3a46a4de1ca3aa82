-- member: what stands in the namespace once somebody has joined it.
-- nil when it may be joined, else the answer: it belongs to another version.
local function foreign_schema(schema)
  local found = redis.call('HGET', META, 'schema')
  return found and found ~= schema and {'schema', found} or nil
end

-- The answer that names another life of this broker; nil without one. An expired lease counts too: its holder may be
-- frozen, and its next renewal would make it valid again. Whoever wants the id evicts that life first.
local function other_life(broker, incarnation)
  local holder = redis.call('HGET', IDS, broker)
  local expires = holder and holder ~= incarnation and lease(holder)
  local record = expires and redis.call('HGET', BROKERS, holder)
  return record and broker_of(record) == broker and {'used', holder, record, text(expires), text(now)} or nil
end

-- Lease and record; the load follows it from wherever it was kept. Made by the first: generation and secret.
local function join(incarnation, broker, record, ttl, schema, generation, secret)
  redis.call('HSETNX', META, 'schema', schema)
  keep_or_set('generation', generation)
  keep_or_set('secret', secret)
  redis.call('HDEL', PREFIX .. 'dead', incarnation)
  redis.call('ZADD', LEASES, text(now + ttl), incarnation)
  local sum = take_load(incarnation, redis.call('HGET', BROKERS, incarnation))
  redis.call('HSET', BROKERS, incarnation, record)
  redis.call('HSET', IDS, broker, incarnation)
  put_load(incarnation, record, sum)
  note_change(incarnation)
  hint('members')
end

local function joined(ttl)
  local meta = redis.call('HMGET', META, 'restart', 'generation', 'secret')
  return {'joined', text(now), text(now + ttl), text(whole(meta[1]) or 0), meta[2], meta[3], SERVER}
end

