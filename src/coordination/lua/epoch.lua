-- epoch: the next epoch is above the entry's, above the namespace's highest, and not below the clock. keep_epoch()
-- after the last next_epoch(), or before each entry that gets one.
local highest = whole(redis.call('HGET', META, 'epoch')) or 0

-- What next_epoch() would answer, as a number.
local function coming_epoch(previous) return math.max(highest + 1, previous + 1, micros) end

local function next_epoch(previous)
  highest = coming_epoch(previous)
  return text(highest)
end

-- An epoch that was given somewhere.
local function saw_epoch(epoch) highest = math.max(highest, epoch) end

local function keep_epoch() redis.call('HSET', META, 'epoch', text(highest)) end

