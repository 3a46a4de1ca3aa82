-- epoch: the next epoch is above the entry's, above the namespace's highest, and not below the clock. keep_epoch() once,
-- after the last next_epoch().
local highest = tonumber(redis.call('HGET', META, 'epoch') or nil) or 0

local function next_epoch(previous)
  highest = math.max(highest + 1, (tonumber(previous) or 0) + 1, micros)
  return text(highest)
end

local function keep_epoch() redis.call('HSET', META, 'epoch', text(highest)) end

