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

