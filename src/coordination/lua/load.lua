-- load: sums of the loads of what an incarnation owns. Kept in load:<cluster> while it has a record, else in meta
-- ('left:<incarnation>', absent = 0), so that the sum is right again when it registers once more. While it takes workers also in
-- hosts:<cluster>:<class> of each class that it hosts; sums has the sum of each of those.
local SUMS = PREFIX .. 'sums'

local function load_key(cluster) return PREFIX .. 'load:' .. cluster end

local function hosts_key(cluster, class) return PREFIX .. 'hosts:' .. cluster .. ':' .. class end

local function cluster_in(record) return string.match(record or '', '^([^:]*):') end

-- A sum that another program wrote over begins anew.
local function add_sum(field, amount)
  local reply = redis.pcall('HINCRBY', SUMS, field, amount)
  if type(reply) == 'number' then return end
  if not is_foreign(reply, SUMS) then redis.call('HDEL', SUMS, field) end
  redis.call('HINCRBY', SUMS, field, amount)
end

-- Of each class that the broker of this record hosts, unless it is draining: the key of its hosts, and the field of their sum.
local function each_class(record, act)
  local cluster, draining, classes = string.match(record or '', '^([^:]*):([^:]*):.*:([^:]*)$')
  if draining ~= '0' then return end
  for class in string.gmatch(classes, '[^,]+') do act(hosts_key(cluster, class), cluster .. ':' .. class) end
end

-- It hosts the class no more.
local function leave_hosts(hosts, field, incarnation, load)
  if zrem(hosts, incarnation) == 0 then return end
  if redis.call('EXISTS', hosts) == 0 then
    redis.call('HDEL', SUMS, field)
  elseif load ~= 0 then
    add_sum(field, text(-load))
  end
end

-- The load of an incarnation with this record.
local function add_to_record(incarnation, record, amount)
  local change = text(amount)
  zincrby(load_key(cluster_in(record)), change, incarnation)
  each_class(record, function(hosts, field)
    zincrby(hosts, change, incarnation)
    add_sum(field, change)
  end)
end

local function add_load(incarnation, amount)
  if amount == 0 then return end
  local record = redis.call('HGET', BROKERS, incarnation)
  if cluster_in(record) then
    add_to_record(incarnation, record, amount)
  elseif increment('left:' .. incarnation, text(amount)) == 0 then
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
  local sum = whole(zscore(load_key(cluster), incarnation)) or 0
  zrem(load_key(cluster), incarnation)
  each_class(record, function(hosts, field) leave_hosts(hosts, field, incarnation, sum) end)
  return sum
end

-- Puts it back under a record.
local function put_load(incarnation, record, sum)
  zadd(load_key(cluster_in(record)), text(sum), incarnation)
  each_class(record, function(hosts, field)
    if zadd(hosts, text(sum), incarnation) == 1 and sum ~= 0 then add_sum(field, text(sum)) end
  end)
end

