-- prelude: joined in front of every script. Binds what all of them share.
-- KEYS 1 meta, 2 leases, 3 brokers.  ARGV 1 prefix of every key, 2 clock in µs ('': the server's TIME), 3 hint channel, 4 this server.
local META, LEASES, BROKERS = KEYS[1], KEYS[2], KEYS[3]
local PREFIX, CLOCK, CHANNEL, SERVER = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Lua prints 1.79e+15 by itself.
local function text(number) return string.format('%.0f', number) end

local function hint(what) redis.call('PUBLISH', CHANNEL, what) end

-- A whole number that a double holds exactly; nil for every other text. Values of entries, records, scores and counters
-- are read with this: other programs may have written them.
local function whole(value)
  local number = value and string.find(value, '^%d+$') and tonumber(value)
  return number and number <= 9007199254740992 and number or nil
end

