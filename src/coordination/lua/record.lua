-- record: where a broker's record is read. Its form is cluster:draining:host:port:broker:low:high:ttl:strict:machine:pid:version:,class,class,
-- with every text escaped, so that neither ':' nor ',' occurs in one.
local IDS = PREFIX .. 'ids'

local function address(incarnation)
  local record = redis.call('HGET', BROKERS, incarnation)
  local host, port = string.match(record or '', '^[^:]*:[^:]*:([^:]*):([^:]*):')
  return host or false, port or false
end

-- The id of the broker, escaped as in the record.
local function broker_of(record)
  return string.match(record or '', '^[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):')
end

local function cluster_of(incarnation)
  return string.match(redis.call('HGET', BROKERS, incarnation) or '', '^([^:]*):')
end

-- For how long the broker leases, in ms; nil without a record.
local function ttl_of(record)
  return whole(string.match(record or '', '^[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):'))
end

-- Whether nothing but the end of its lease tells its death.
local function is_strict(record)
  return string.match(record or '', '^[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):') == '1'
end

local function pending_key(cluster, class) return PREFIX .. 'pending:' .. cluster .. ':' .. class end

