-- salvage: what becomes of entries that their owner gives up, or that a dead owner left.
-- The load of the owner is the caller's to settle. Returns whether it waits for its recovery: one that cannot be read is deleted.
-- By cluster and class: the last worker that went to pending.
local waiting = {}

local function give_up(own, id, recover, cluster, class, created)
  local key = PREFIX .. 'w:' .. id
  zrem(own, id)
  recover = recover and is_id(id) and is_sound(class, cluster, '0', created, '') and true or false
  if recover then
    redis.call('HMSET', key, 'state', 'pending', 'owner', '', 'load', '0')
    zadd(pending_key(cluster, class), created, id)
    waiting[cluster .. ':' .. class] = id
  else
    redis.call('DEL', key)
  end
  return recover
end

-- Tells those that host the classes how many wait, once everything that goes there is there.
local function hint_waiting()
  for class, id in pairs(waiting) do
    local count = redis.call('ZCARD', PREFIX .. 'pending:' .. class)
    hint('pending:' .. class .. ':' .. text(count) .. ':' .. id)
  end
end

-- Up to `limit` entries of an incarnation, oldest first: how many went to pending, were deleted, are left. While some are left
-- dead: remembers it, with what becomes of them.
local function salvage(own, incarnation, recover, limit)
  local begun = redis.call('HGET', PREFIX .. 'dead', incarnation)
  if begun then recover = begun == '1' end
  local recovered, deleted, load = 0, 0, 0
  local ids = limit > 0 and redis.call('ZRANGE', own, 0, limit - 1) or {}
  for _, id in ipairs(ids) do
    local key = PREFIX .. 'w:' .. id
    local entry = entry_of(redis.pcall('HMGET', key, 'owner', 'recoverable', 'cluster', 'class', 'created', 'load'), key)
    if entry[1] ~= incarnation then
      redis.call('ZREM', own, id)
    else
      local kept = give_up(own, id, recover and entry[2] == '1', entry[3], entry[4], entry[5])
      load = load + (whole(entry[6]) or 0)
      if kept then recovered = recovered + 1 else deleted = deleted + 1 end
    end
  end
  add_load(incarnation, -load)
  hint_waiting()
  local remaining = redis.call('ZCARD', own)
  if remaining == 0 then
    redis.call('HDEL', PREFIX .. 'dead', incarnation)
  elseif not begun then
    redis.call('HSET', PREFIX .. 'dead', incarnation, recover and '1' or '0')
  end
  return recovered, deleted, remaining
end

