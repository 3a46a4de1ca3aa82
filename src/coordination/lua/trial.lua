-- trial: the suspect that an incarnation activated last. Its form is `a` (on trial) or `p` (passed), `1` (the only suspect that
-- was tried here) or `n`, a colon, the worker's id.
local TRIALS = PREFIX .. 'trials'

local function trial_of(incarnation)
  local reply = redis.pcall('HGET', TRIALS, incarnation)
  if type(reply) == 'string' then return reply end
  if reply then is_foreign(reply, TRIALS) end
end

local function begin_trial(incarnation, id)
  local before = trial_of(incarnation)
  redis.call('HSET', TRIALS, incarnation, (before and 'an:' or 'a1:') .. id)
end

local function end_trial(incarnation)
  local trial = trial_of(incarnation)
  if trial and string.sub(trial, 1, 1) == 'a' then
    redis.call('HSET', TRIALS, incarnation, 'p' .. string.sub(trial, 2))
  end
end

-- Whether the death of this incarnation accuses this suspect alone.
local function is_accused(incarnation, id)
  local trial = trial_of(incarnation) or ''
  return string.sub(trial, 4) == id and (string.sub(trial, 1, 1) == 'a' or string.sub(trial, 2, 2) == '1')
end

-- The suspect that is on trial there: the death of the incarnation counts against it alone.
local function on_trial(incarnation)
  local trial = trial_of(incarnation) or ''
  return string.sub(trial, 1, 1) == 'a' and string.sub(trial, 4) or nil
end
