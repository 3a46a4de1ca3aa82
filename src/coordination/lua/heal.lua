-- heal: how healing begins. Who is awaited already, or was and came, stays what it is.
local function await(incarnation) redis.call('HSETNX', AWAITED, incarnation, '1') end

local function begin_healing(patience)
  patience = math.min(patience, MAX_PATIENCE)
  redis.call('DEL', AWAITED)
  redis.call('HMSET', META, 'server', SERVER, 'healing', text(now + patience), 'patience', text(patience))
end

-- Agrees on this server. Whoever but `newcomer` has a lease here is awaited, run out or not: after an outage the living look
-- expired too. With nobody to wait for there is nothing to heal.
local function agree(patience, newcomer)
  local found = {}
  for _, incarnation in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
    if incarnation ~= newcomer then
      found[#found + 1] = incarnation
      patience = math.max(patience, ttl_of(redis.call('HGET', BROKERS, incarnation)) or 0)
    end
  end
  begin_healing(patience)
  if #found == 0 then return end_healing() end
  for _, incarnation in ipairs(found) do await(incarnation) end
end

