-- prelude: joined in front of every script. Binds what all of them share.
-- KEYS 1 meta, 2 leases, 3 brokers.  ARGV 1 prefix of every key, 2 clock in µs ('': the server's TIME), 3 hint channel.
local META, LEASES, BROKERS = KEYS[1], KEYS[2], KEYS[3]
local PREFIX, CLOCK, CHANNEL = ARGV[1], ARGV[2], ARGV[3]

-- Lua prints 1.79e+15 by itself.
local function text(number) return string.format('%.0f', number) end

local function hint(what) redis.call('PUBLISH', CHANNEL, what) end

-- clock: the time, and whose lease is valid at it. About 2 µs, so only where it is needed.
-- Before Redis 3.2 nothing may be written after TIME: there the caller always passes the clock.
local micros
if CLOCK ~= '' then
  micros = tonumber(CLOCK)
else
  if redis.replicate_commands then redis.replicate_commands() end
  local time = redis.call('TIME')
  micros = time[1] * 1000000 + time[2]
end
local now = math.floor(micros / 1000)

-- The lease of an incarnation as a number, nil without one.
local function lease(incarnation) return tonumber(redis.call('ZSCORE', LEASES, incarnation) or nil) end

local function valid(incarnation)
  local expires = lease(incarnation)
  return expires ~= nil and expires > now
end

-- record: where a broker's record is read. Its form is cluster:draining:host:port:broker:low:high:,class,class,
-- with every text escaped, so that neither ':' nor ',' occurs in one.
local function address(incarnation)
  local record = redis.call('HGET', BROKERS, incarnation)
  local host, port = string.match(record or '', '^[^:]*:[^:]*:([^:]*):([^:]*):')
  return host or false, port or false
end

local function cluster_of(incarnation)
  return string.match(redis.call('HGET', BROKERS, incarnation) or '', '^([^:]*):')
end

local function pending_key(cluster, class) return PREFIX .. 'pending:' .. cluster .. ':' .. class end

-- load: sums of the loads of what an incarnation owns. Kept in load:<cluster> while it has a record, else in meta
-- ('left:<incarnation>', absent = 0), so that the sum is right again when it registers once more.
local function load_key(cluster) return PREFIX .. 'load:' .. cluster end

local function add_load(incarnation, change)
  if change == 0 then return end
  local cluster = cluster_of(incarnation)
  if cluster then
    redis.call('ZINCRBY', load_key(cluster), text(change), incarnation)
  elseif redis.call('HINCRBY', META, 'left:' .. incarnation, text(change)) == 0 then
    redis.call('HDEL', META, 'left:' .. incarnation)
  end
end

-- Takes the sum out of load:<cluster>: what a record gives up when it goes.
local function take_load(incarnation, cluster)
  local sum = tonumber(redis.call('ZSCORE', load_key(cluster), incarnation) or '0')
  redis.call('ZREM', load_key(cluster), incarnation)
  return sum
end

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
