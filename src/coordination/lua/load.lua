-- load: sums of the loads of what an incarnation owns. Kept in load:<cluster> while it has a record, else in meta
-- ('left:<incarnation>', absent = 0), so that the sum is right again when it registers once more.
local SUMS = PREFIX .. 'sums'

local function load_key(cluster) return PREFIX .. 'load:' .. cluster end

local function cluster_in(record) return string.match(record or '', '^([^:]*):') end

-- A sum that another program wrote over begins anew.
local function add_sum(field, change)
  local reply = redis.pcall('HINCRBY', SUMS, field, change)
  if type(reply) == 'number' then return reply end
  if not is_foreign(reply, SUMS) then redis.call('HDEL', SUMS, field) end
  return redis.call('HINCRBY', SUMS, field, change)
end

-- Adds to the sums of each class that the broker of this record hosts, unless it is draining: the load of its workers, and
-- how many brokers host the class.
local function count(record, load, hosts)
  local cluster, draining, classes = string.match(record or '', '^([^:]*):([^:]*):.*:([^:]*)$')
  if draining ~= '0' then return end
  for class in string.gmatch(classes, '[^,]+') do
    local field = cluster .. ':' .. class
    if load ~= 0 then add_sum('l:' .. field, text(load)) end
    if hosts ~= 0 and add_sum('n:' .. field, text(hosts)) <= 0 then
      redis.call('HDEL', SUMS, 'l:' .. field, 'n:' .. field)
    end
  end
end

local function add_load(incarnation, change)
  if change == 0 then return end
  local record = redis.call('HGET', BROKERS, incarnation)
  local cluster = cluster_in(record)
  if cluster then
    zincrby(load_key(cluster), text(change), incarnation)
    count(record, change, 0)
  elseif increment('left:' .. incarnation, text(change)) == 0 then
    redis.call('HDEL', META, 'left:' .. incarnation)
  end
end

-- Takes the load of an incarnation out of wherever it is kept under this record (false: none): what a record gives up when it
-- goes.
local function take_load(incarnation, record)
  local cluster = cluster_in(record)
  if not cluster then
    local left = whole(redis.call('HGET', META, 'left:' .. incarnation)) or 0
    redis.call('HDEL', META, 'left:' .. incarnation)
    return left
  end
  local sum = whole(redis.call('ZSCORE', load_key(cluster), incarnation)) or 0
  redis.call('ZREM', load_key(cluster), incarnation)
  count(record, -sum, -1)
  return sum
end

-- Puts it back under a record.
local function put_load(incarnation, record, sum)
  redis.call('ZADD', load_key(cluster_in(record)), text(sum), incarnation)
  count(record, sum, 1)
end

