-- salvage: what becomes of entries that their owner gives up, or that a dead owner left. A fate is '0' (deleted), '1' (recovered),
-- '2' (the worker came back by itself) or '3' (its process died).
-- States: placing and active have an owner and are given up; pending and quarantined have none, so they are not met here.
-- The load of the owner is the caller's to settle.
local FIELDS = {'owner', 'epoch', 'state', 'cause', 'recoverable', 'cluster', 'class', 'created', 'load', 'activated', 'deaths',
  'returns', 'attempt'}

-- By cluster and class: the last worker that began to wait and may be claimed at once.
local waiting = {}

local function read_entry(id)
  local entry, key = {}, PREFIX .. 'w:' .. id
  for i, value in ipairs(entry_of(redis.pcall('HMGET', key, unpack(FIELDS)), key)) do entry[FIELDS[i]] = value end
  return entry
end

-- 'deleted', 'recovered', or 'quarantined' and how many deaths count. One that cannot be read is deleted.
local function give_up(own, owner, id, fate, entry)
  local key = PREFIX .. 'w:' .. id
  zrem(own, id)
  local sound = is_id(id) and is_sound(entry.class, entry.cluster, '0', entry.created, '')
  if fate == '0' or entry.recoverable ~= '1' or not sound then
    redis.call('DEL', key)
    return 'deleted'
  end
  local age = now - (whole(entry.activated) or 0)
  local deaths, returns = aged(entry.deaths, age, fate == '3'), aged(entry.returns, age, fate == '2')
  redis.call('HMSET', key, 'state', 'pending', 'owner', '', 'load', '0')
  if deaths > 0 or entry.deaths then redis.call('HSET', key, 'deaths', text(deaths)) end
  if returns > 0 or entry.returns then redis.call('HSET', key, 'returns', text(returns)) end
  if fate == '3' and age < YOUNG and deaths >= QUARANTINE and is_accused(owner, id) then
    redis.call('HSET', key, 'state', 'quarantined')
    return 'quarantined', deaths
  end
  local wait = math.max(wait_after(deaths, SUSPECT), wait_after(returns, RETURNS))
  if wait == 0 then waiting[entry.cluster .. ':' .. entry.class] = id end
  if wait > 0 or is_suspect(deaths) then
    zadd(later_key(entry.cluster, entry.class), text(now + wait), id)
  else
    zadd(pending_key(entry.cluster, entry.class), entry.created, id)
  end
  return 'recovered'
end

-- Tells those that host the classes how many wait whose time has come, once everything that goes there is there.
local function hint_waiting()
  for class, id in pairs(waiting) do
    local count = redis.call('ZCARD', PREFIX .. 'pending:' .. class) + due_in(PREFIX .. 'later:' .. class)
    hint('pending:' .. class .. ':' .. text(count) .. ':' .. id)
  end
end

-- Up to `limit` entries of an incarnation, oldest first: how many were recovered, were deleted, are left; then id and deaths of each
-- that is quarantined. While some are left dead: remembers it, with what becomes of them.
local function salvage(own, incarnation, fate, limit)
  local begun = redis.call('HGET', PREFIX .. 'dead', incarnation)
  if begun then fate = string.find(begun, '^[123]$') and begun or '0' end
  local counts, load, quarantined = {recovered = 0, deleted = 0, quarantined = 0}, 0, {}
  local ids = limit > 0 and redis.call('ZRANGE', own, 0, limit - 1) or {}
  for _, id in ipairs(ids) do
    local entry = read_entry(id)
    if entry.owner ~= incarnation then
      redis.call('ZREM', own, id)
    else
      local what, deaths = give_up(own, incarnation, id, fate, entry)
      load = load + (whole(entry.load) or 0)
      counts[what] = counts[what] + 1
      if deaths then
        quarantined[#quarantined + 1] = id
        quarantined[#quarantined + 1] = text(deaths)
      end
    end
  end
  add_load(incarnation, -load)
  hint_waiting()
  local remaining = redis.call('ZCARD', own)
  if remaining == 0 then
    redis.call('HDEL', PREFIX .. 'dead', incarnation)
    if trial_of(incarnation) then redis.call('HDEL', TRIALS, incarnation) end
  elseif not begun then
    redis.call('HSET', PREFIX .. 'dead', incarnation, fate)
  end
  return counts.recovered, counts.deleted, remaining, quarantined
end

