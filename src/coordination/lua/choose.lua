-- choose: the least loaded broker of a cluster that hosts a class, has a valid lease and is not draining: incarnation,
-- host, port; nil when there is none. `excluded`: incarnations that are not chosen. Equal loads: the lowest incarnation (the order of a zset).
local PAGE = 8

-- By incarnation, as far as a script has looked: {record, host, port}, or false where nobody may be placed.
local hosts = {}

local function host_of(incarnation)
  local host = hosts[incarnation]
  if host == nil then
    local record = valid(incarnation) and redis.call('HGET', BROKERS, incarnation) or ''
    local name, port = string.match(record, '^[^:]*:0:([^:]*):(%d+):[^:]*:%d+:%d+:%d+:[01]:,')
    host = name and tonumber(port) <= 65535 and {record, name, port} or false
    hosts[incarnation] = host
  end
  return host
end

local function choose(cluster, class, excluded)
  local hosted, from = ',' .. class .. ',', 0
  while true do
    local page = zrange(load_key(cluster), from, from + PAGE - 1)
    for _, incarnation in ipairs(page) do
      local host = host_of(incarnation)
      local wanted = host and string.find(host[1], hosted, 1, true) and not string.find(excluded, incarnation, 1, true)
      if wanted then return incarnation, host[2], host[3] end
    end
    if #page < PAGE then return nil end
    from = from + PAGE
  end
end

