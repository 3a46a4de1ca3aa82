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

-- choose: the least loaded broker of a cluster that hosts a class, has a valid lease and is not draining: incarnation,
-- host, port; nil when there is none. Equal loads: the lowest incarnation (the order of a zset).
local PAGE = 8

local function choose(cluster, class)
  local hosted, from = ',' .. class .. ',', 0
  while true do
    local page = redis.call('ZRANGE', load_key(cluster), from, from + PAGE - 1)
    for _, incarnation in ipairs(page) do
      if valid(incarnation) then
        local record = redis.call('HGET', BROKERS, incarnation) or ''
        local draining, host, port = string.match(record, '^[^:]*:([^:]*):([^:]*):([^:]*):')
        if draining == '0' and string.find(record, hosted, 1, true) then return incarnation, host, port end
      end
    end
    if #page < PAGE then return nil end
    from = from + PAGE
  end
end

-- epoch: the next epoch is above the entry's, above the namespace's highest, and not below the clock. keep_epoch() once,
-- after the last next_epoch().
local highest = tonumber(redis.call('HGET', META, 'epoch') or nil) or 0

local function next_epoch(previous)
  highest = math.max(highest + 1, (tonumber(previous) or 0) + 1, micros)
  return text(highest)
end

local function keep_epoch() redis.call('HSET', META, 'epoch', text(highest)) end

-- place: finds the worker of an id, or reserves it on the least loaded broker that hosts its class.
-- ARGV 4 asking incarnation, 5 '1': the id is given / '0': count from it, 6 id or class name, 7 class, 8 cluster,
--      9 recoverable, 10 ttl in ms (0: none), 11 attributes, 12 load to reserve, 13 ids to try at most
-- Replies: {'reserved', id, class, owner, epoch, host, port}
--          {'existing', id, class, owner, epoch, state, host or nil, port or nil}, {'none'}, {'stranger'}: nothing changed
--          {'again'}: the next ids of the class are all taken; the counter is past them, ask once more
-- Never half-done: an entry that is not in its owner's own:, whose load is not counted, or whose epoch is not in meta.
-- Cost: about 20 µs.
local by, named, id, class, cluster = ARGV[4], ARGV[5] == '1', ARGV[6], ARGV[7], ARGV[8]
local recoverable, ttl, attributes, reserved, tries = ARGV[9], tonumber(ARGV[10]), ARGV[11], ARGV[12], tonumber(ARGV[13])

if not valid(by) then return {'stranger'} end
local created, previous, waits, recover = text(now), '0', false, false
if named then
  local entry = redis.call('HMGET', PREFIX .. 'w:' .. id, 'state', 'class', 'cluster', 'owner', 'epoch', 'created')
  if entry[1] and entry[1] ~= 'pending' then
    local host, port = address(entry[4])
    return {'existing', id, entry[2], entry[4], entry[5], entry[1], host, port}
  elseif entry[1] then
    waits, previous = pending_key(entry[3], entry[2]), entry[5]
    recover = ttl == 0 or now - tonumber(entry[6]) <= ttl
    if recover then class, cluster, created = entry[2], entry[3], entry[6] end
  end
end

local owner, host, port = choose(cluster, class)
if not owner then return {'none'} end
if not named then
  local base = id
  repeat
    if tries == 0 then return {'again'} end
    tries = tries - 1
    id = base .. '#' .. text(redis.call('HINCRBY', META, 'n:' .. class, 1))
  until redis.call('EXISTS', PREFIX .. 'w:' .. id) == 0
end

local key, epoch = PREFIX .. 'w:' .. id, next_epoch(previous)
keep_epoch()
if waits then redis.call('ZREM', waits, id) end
if recover then
  redis.call('HMSET', key, 'state', 'placing', 'owner', owner, 'epoch', epoch, 'cause', '1', 'load', reserved)
else
  redis.call('HMSET', key, 'state', 'placing', 'owner', owner, 'epoch', epoch, 'cause', '0', 'load', reserved, 'class', class,
    'cluster', cluster, 'created', created, 'recoverable', recoverable, 'attributes', attributes)
end
redis.call('ZADD', PREFIX .. 'own:' .. owner, created, id)
redis.call('ZINCRBY', load_key(cluster), reserved, owner)
return {'reserved', id, class, owner, epoch, host, port}
