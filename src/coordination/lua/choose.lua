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

