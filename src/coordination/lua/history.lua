-- history: how often a worker's owner died, or the worker came back by itself, shortly after it was activated. history.rs
-- decides the same for the embedded coordinator and says what the numbers mean.
local YOUNG, SETTLED, SUSPECT, QUARANTINE, RETURNS, LONGEST = 10000, 60000, 2, 3, 3, 60000

-- A count when the worker ends at this age in ms; one more where this end counts and the worker was young.
local function aged(count, age, counts)
  if age >= SETTLED then return 0 end
  if counts and age < YOUNG then return count + 1 end
  return count
end

-- How long it waits: 1, 2, 4 … 60 s from the first end beyond the free ones.
local function wait_after(count, free)
  if count <= free then return 0 end
  return math.min(LONGEST, 1000 * 2 ^ (count - free - 1))
end

local function is_suspect(deaths) return deaths >= SUSPECT end

-- The end of a wait in a later: of this worker; nil where it does not wait there.
local function due_of(later, id)
  local reply = redis.pcall('ZSCORE', later, id)
  if type(reply) ~= 'table' then return tonumber(reply or nil) end
  is_foreign(reply, later)
end

-- Where workers wait for their time, and suspects for a broker that tries them.
local function later_key(cluster, class) return PREFIX .. 'later:' .. cluster .. ':' .. class end

