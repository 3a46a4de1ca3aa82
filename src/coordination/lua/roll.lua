-- roll: the version of the members, and what changed since an earlier one.
local CHANGES, DEPARTED = PREFIX .. 'changes', PREFIX .. 'departed'
-- Departures that are remembered.
local MEMORY = 1000

-- An incarnation joined or said something else of itself, or departed ('dead', 'left'): the version before, and the new one.
local function note_change(incarnation, departure)
  local before = whole(redis.call('HGET', META, 'version')) or 0
  local version = text(math.max(before + 1, micros))
  redis.call('HSET', META, 'version', version)
  zrem(DEPARTED, incarnation .. ':dead')
  zrem(DEPARTED, incarnation .. ':left')
  if not departure then
    zadd(CHANGES, version, incarnation)
    return text(before), version
  end
  zrem(CHANGES, incarnation)
  if redis.call('ZCARD', LEASES) == 0 then
    -- There is nobody left to tell.
    redis.call('DEL', DEPARTED)
    redis.call('HSET', META, 'horizon', version)
    return text(before), version
  end
  zadd(DEPARTED, version, incarnation .. ':' .. departure)
  local surplus = redis.call('ZCARD', DEPARTED) - MEMORY
  if surplus > 0 then
    local last = redis.call('ZRANGE', DEPARTED, surplus - 1, surplus - 1, 'WITHSCORES')
    redis.call('HSET', META, 'horizon', last[2])
    redis.call('ZREMRANGEBYRANK', DEPARTED, 0, surplus - 1)
  end
  return text(before), version
end

