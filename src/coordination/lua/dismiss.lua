-- dismiss: removes lease and record: the versions before and after, nil when there was neither.
local function dismiss(incarnation, departure)
  local record = redis.call('HGET', BROKERS, incarnation)
  local broker = broker_of(record)
  if broker and redis.call('HGET', IDS, broker) == incarnation then redis.call('HDEL', IDS, broker) end
  local held = redis.call('ZREM', LEASES, incarnation)
  redis.call('HDEL', BROKERS, incarnation)
  if cluster_in(record) then add_load(incarnation, take_load(incarnation, record)) end
  if record or held == 1 then return note_change(incarnation, departure) end
end

