-- epoch: the next epoch is above the entry's, above the namespace's highest, and not below the clock. keep_epoch()
-- after the last next_epoch(), or before each entry that gets one.
local highest = whole(redis.call('HGET', META, 'epoch')) or 0

local function next_epoch(previous)
  highest = math.max(highest + 1, (whole(previous) or 0) + 1, micros)
  return text(highest)
end

-- An epoch that was given somewhere.
local function saw_epoch(epoch) highest = math.max(highest, whole(epoch) or 0) end

-- Activations since the last one that ended well: the one that begins now included.
local function next_attempt(before) return (whole(before) or 0) + 1 end

local function keep_epoch() redis.call('HSET', META, 'epoch', text(highest)) end

