-- choose: the least loaded broker of a cluster that hosts a class, has a valid lease and is not draining; nil when there is none.
-- `excluded`: incarnations that are not chosen, in one text. Of equally loaded ones each has its turn: `epoch` decides whose.
-- Looked at are the first few of hosts:<cluster>:<class>, more only where those may not be chosen.
local PAGE = 40
local END = 9007199254740992

-- By incarnation: {incarnation, load, record, host, port}, or false where nobody may be placed. The load counts what this script
-- has placed there.
local brokers = {}
-- By the key of the hosts: {brokers that were read, by incarnation; frontier: all others have at least this load; segments of
-- ranks that were not read}.
local windows = {}

local function broker_of_hosts(hosts, field, class, incarnation, load)
  local broker = brokers[incarnation]
  if broker ~= nil then return broker end
  local record = redis.call('HGET', BROKERS, incarnation)
  local cluster, host, port, classes =
    string.match(record or '', '^([^:]*):0:([^:]*):(%d+):[^:]*:%d+:%d+:%d+:[01]:[^:]*:%d+:[^:]*:(,[^:]*)$')
  if not cluster or hosts ~= hosts_key(cluster, class) or not string.find(classes, ',' .. class .. ',', 1, true) then
    -- Another program wrote over the record, or over the hosts.
    leave_hosts(hosts, field, incarnation, load)
    return false
  end
  broker = valid(incarnation) and tonumber(port) <= 65535
    and {incarnation = incarnation, load = load, record = record, host = host, port = port}
  brokers[incarnation] = broker
  return broker
end

local function take_page(window, page)
  for i = 1, #page, 2 do
    local load = whole(page[i + 1]) or END
    window.frontier = math.max(window.frontier, load)
    local broker = broker_of_hosts(window.hosts, window.field, window.class, page[i], load)
    if broker then window[#window + 1] = broker end
  end
  table.sort(window, function(a, b) return a.incarnation < b.incarnation end)
end

local function window_of(cluster, class, turn)
  local hosts = hosts_key(cluster, class)
  if windows[hosts] then return windows[hosts] end
  local window = {hosts = hosts, field = cluster .. ':' .. class, class = class, frontier = 0, segments = {}}
  windows[hosts] = window
  local page = zrange(hosts, 0, PAGE - 1, 'WITHSCORES')
  local is_full = #page == 2 * PAGE
  local equals = is_full and page[2] == page[2 * PAGE] and redis.call('ZCOUNT', hosts, page[2], page[2]) or 0
  if equals > PAGE then
    -- Those that are read begin anywhere among them.
    local start = turn % equals
    window.segments = {{start, equals - 1}, {0, start - 1}, {equals, END}}
  else
    if is_full then window.segments = {{PAGE, END}} end
    take_page(window, page)
  end
  return window
end

-- Reads the next page of a window; false at its end.
local function look_further(window)
  local segment = window.segments[1]
  while segment and segment[1] > segment[2] do
    table.remove(window.segments, 1)
    segment = window.segments[1]
  end
  if not segment then return false end
  local last = math.min(segment[1] + PAGE - 1, segment[2])
  local page = zrange(window.hosts, text(segment[1]), text(last), 'WITHSCORES')
  segment[1] = #page == 0 and END + 1 or last + 1
  take_page(window, page)
  return true
end

local function choose(cluster, class, excluded, epoch)
  -- A clock that counts only milliseconds makes epochs of whole thousands.
  local turn = math.floor(epoch / 1000) % 1000000 + epoch % 1000
  local window = window_of(cluster, class, turn)
  while true do
    local lowest, equals = nil, {}
    for _, broker in ipairs(window) do
      local may = (not lowest or broker.load <= lowest) and (excluded == '' or not string.find(excluded, broker.incarnation, 1, true))
      if may and broker.load ~= lowest then lowest, equals = broker.load, {} end
      if may then equals[#equals + 1] = broker end
    end
    local settled = lowest and lowest <= window.frontier
    if settled or not look_further(window) then return equals[turn % math.max(#equals, 1) + 1] end
  end
end

