-- salvage: what becomes of entries that their owner gives up, or that a dead owner left. A fate is '0' (deleted), '1' (recovered),
-- '2' (the worker came back by itself), '3' (its process died), '4' (it ended for good) or '5' (its activation failed). A kept worker
-- is deleted by '4', and by '5' where that was its first activation and nothing is stored; else it is asleep where it is not
-- recovered. A kept suspect is never asleep: it is tried alone as any other.
-- States: placing and active have an owner and are given up; pending, asleep and quarantined have none, so they are not met here.
-- The owner's own: and load are the caller's to settle, and let_wait() follows the last one.
local RECOVERED, FAILED = '1', '5'

-- By cluster and class, of those that begin to wait: scores and ids for pending: and for later:, and the last one that may be
-- claimed at once.
local waiting = {}

local function waiting_of(cluster, class)
  local home = cluster .. ':' .. class
  waiting[home] = waiting[home] or {pending = {}, later = {}}
  return waiting[home]
end

-- By owner, the suspect that is on trial there, or false.
local tried = {}

-- Whether the death of its owner counts against this worker.
local function is_blamed(owner, id)
  if tried[owner] == nil then tried[owner] = on_trial(owner) or false end
  return not tried[owner] or tried[owner] == id
end

-- Whether a kept worker that ends like this leaves nothing.
local function ends_kept(entry, fate)
  if fate == FAILED then return string.sub(entry, 2, 2) == '0' and attempt_of(entry) <= 1 and not has_data(entry) end
  return fate == '4'
end

-- 'deleted', 'recovered' (asleep too), or 'quarantined' and how many deaths count. One that cannot be read is deleted. `anyhow`: also
-- where it is not recoverable.
local function give_up(owner, id, key, entry, fate, anyhow)
  local class, cluster = names_of(key, entry)
  local recovers = fate >= '1' and fate <= '3' and (anyhow or is_recoverable(entry))
  local keeps = is_kept(entry) and not ends_kept(entry, fate)
  if not class or not is_id(id) or not recovers and not keeps then
    delete_worker(id, key, entry)
    return 'deleted'
  end
  local age = now - activated_of(entry)
  local deaths = aged(deaths_of(entry), age, fate == '3' and is_blamed(owner, id))
  local returns = aged(returns_of(entry), age, fate == '2')
  local quarantined = fate == '3' and age < YOUNG and deaths >= QUARANTINE and is_accused(owner, id)
  local sleeps = not recovers and not is_suspect(deaths)
  if sleeps and not quarantined then
    redis.call('SETRANGE', key, 0, asleep_head(entry, string.sub(entry, 2, 2), attempt_of(entry), deaths, returns))
    await_timer(id, entry, cluster, class, fate == FAILED and attempt_of(entry) or 0)
    return 'recovered'
  end
  redis.call('SETRANGE', key, 0, string.format('%s%s%010.0f%s%04.0f%04.0f %s', quarantined and 'q' or 'w',
    string.sub(entry, 2, 19), 0, string.sub(entry, 30, 61), math.min(deaths, 9999), math.min(returns, 9999), NOBODY))
  if quarantined then return 'quarantined', deaths end
  local wait, all = math.max(wait_after(deaths, SUSPECT), wait_after(returns, RETURNS)), waiting_of(cluster, class)
  local is_later = wait > 0 or is_suspect(deaths)
  local set = is_later and all.later or all.pending
  set[#set + 1], set[#set + 2] = text(is_later and now + wait or created_of(entry)), id
  if wait == 0 then all.claimable = id end
  return 'recovered'
end

-- Puts them where they wait, then tells those that host the classes how many wait whose time has come.
local function let_wait()
  for class, all in pairs(waiting) do
    local pending, later = PREFIX .. 'pending:' .. class, PREFIX .. 'later:' .. class
    zadd_all(pending, all.pending)
    zadd_all(later, all.later)
    if all.claimable then
      local count = redis.call('ZCARD', pending) + due_in(later)
      hint('pending:' .. class .. ':' .. text(count) .. ':' .. all.claimable)
    end
  end
end

-- Up to `limit` entries of an incarnation, oldest first: how many were recovered, were deleted, are left; then id and deaths of each
-- that is quarantined. While some are left dead: remembers it, with what becomes of them.
local function salvage(own, incarnation, fate, limit)
  local begun = redis.call('HGET', PREFIX .. 'dead', incarnation)
  if begun then fate = string.find(begun, '^[1-5]$') and begun or '0' end
  local counts, load, quarantined = {recovered = 0, deleted = 0, quarantined = 0}, 0, {}
  local ids, name = limit > 0 and redis.call('ZRANGE', own, 0, limit - 1) or {}, padded(incarnation)
  for _, id in ipairs(ids) do
    local key = entry_key(id)
    local entry = read_entry(key, NEAR)
    if entry and is_owned_by(entry, name) then
      local what, deaths = give_up(incarnation, id, key, entry, fate)
      load = load + load_of(entry)
      counts[what] = counts[what] + 1
      if deaths then
        quarantined[#quarantined + 1] = id
        quarantined[#quarantined + 1] = text(deaths)
      end
    end
  end
  zrem_all(own, ids)
  add_load(incarnation, -load)
  let_wait()
  local remaining = redis.call('ZCARD', own)
  if remaining == 0 then
    redis.call('HDEL', PREFIX .. 'dead', incarnation)
    if trial_of(incarnation) then redis.call('HDEL', TRIALS, incarnation) end
  elseif not begun then
    redis.call('HSET', PREFIX .. 'dead', incarnation, fate)
  end
  return counts.recovered, counts.deleted, remaining, quarantined
end

