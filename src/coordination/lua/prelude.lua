-- prelude: joined in front of every script. Binds what all of them share.
-- KEYS 1 meta, 2 leases, 3 brokers.  ARGV 1 prefix of every key, 2 clock in µs ('': the server's TIME), 3 hint channel.
-- Before Redis 3.2 nothing may be written after TIME: there the caller always passes the clock.
local META, LEASES, BROKERS = KEYS[1], KEYS[2], KEYS[3]
local PREFIX, CLOCK, CHANNEL = ARGV[1], ARGV[2], ARGV[3]

local micros
if CLOCK ~= '' then
  micros = tonumber(CLOCK)
else
  if redis.replicate_commands then redis.replicate_commands() end
  local time = redis.call('TIME')
  micros = time[1] * 1000000 + time[2]
end
local now = math.floor(micros / 1000)

-- Lua prints 1.79e+15 by itself.
local function text(number) return string.format('%.0f', number) end

-- The lease of an incarnation as a number, nil without one.
local function lease(incarnation) return tonumber(redis.call('ZSCORE', LEASES, incarnation) or nil) end

local function valid(incarnation)
  local expires = lease(incarnation)
  return expires ~= nil and expires > now
end

local function hint(what) redis.call('PUBLISH', CHANNEL, what) end

