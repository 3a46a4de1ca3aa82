-- claim: takes pending workers over; beside its share and the limit one suspect, where the claimer tries none.
-- KEYS 4 the claimer's own:, 5… pending: and later: of each class.  ARGV 5 claimer, 6 limit, 7 ttl in ms (0: none), 8 looked at at
--      most, 9 load to reserve, 10 of what waits one part in so many at least, whatever the claimer's load is (0: none), 11 '1': the
--      claimer's trial is over / '0'
-- Replies: {'stranger'}: the claimer has no valid lease, nothing changed; {'unsettled'}: what waits may live somewhere
--          {remaining, deleted, {id, text of the entry, its data or nil where it has none or that is missing}, …}; deleted: older
--          than the ttl, or not readable
-- States: pending becomes active, or asleep where it is kept and older than the ttl; an id in any other state is dropped from the set
--          that it was found in.
-- Never half-done: an entry that is pending and owned; one that is neither.
-- Taken of each class: so many that all brokers that host it end up with the same load.
-- Cost: about 5 µs an entry (Redis 7.0), 3 µs a class.
-- Full memory: works.
local own, by, name = KEYS[4], ARGV[5], padded(ARGV[5])
local limit, ttl, left, reserved = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local overflow = tonumber(ARGV[10])
local MAX_ATTRIBUTES = 1048576
-- Between two hints that workers were claimed while more of them wait, ms. Each goes to every broker.
local HINT_INTERVAL = 20

if unsettled() then return {'unsettled'} end
if not valid(by) then return {'stranger'} end
local reply, deleted, claimed, free, owned = {'0', '0'}, 0, 0, ARGV[11] == '1', {}
if free then end_trial(by) end

local function discard(key, is_sound)
  redis.call('DEL', key)
  if not is_sound then hint('unreadable:' .. key) end
  deleted = deleted + 1
end

-- Takes one that was in this set.
local function take(waiting, id)
  local key = entry_key(id)
  local entry = read_entry(key, -1)
  if not entry or state_of(entry) ~= 'w' then return end
  local class, cluster, attributes = names_of(key, entry)
  if not class or not is_id(id) or not epoch_of(entry) or #entry - attributes >= MAX_ATTRIBUTES then return discard(key, false) end
  -- One that stands in another class's list is found there too.
  if waiting ~= pending_key(cluster, class) and waiting ~= later_key(cluster, class) then
    return zadd(pending_key(cluster, class), text(created_of(entry)), id)
  end
  if ttl > 0 and now - created_of(entry) > ttl then
    if not is_kept(entry) then return discard(key, true) end
    redis.call('SETRANGE', key, 0, asleep_head(entry, string.sub(entry, 2, 2), attempt_of(entry), deaths_of(entry), returns_of(entry)))
    return await_timer(id, entry, cluster, class, 0)
  end
  local head = next_head(entry, 'a', name, next_epoch(epoch_of(entry)), reserved)
  redis.call('SETRANGE', key, 0, head)
  if is_suspect(deaths_of(entry)) then
    begin_trial(by, id)
    free = false
  end
  owned[#owned + 1], owned[#owned + 2] = text(created_of(entry)), id
  claimed = claimed + 1
  reply[claimed + 2] = {id, head .. string.sub(entry, HEAD + 1), has_data(entry) and stored_data(id)}
end

-- What waited for its time, and the first suspect.
local function take_later(later)
  local due = redis.pcall('ZRANGEBYSCORE', later, '-inf', text(now), 'LIMIT', '0', text(left))
  if due.err then
    is_foreign(due, later)
    due = {}
  end
  left = left - #due
  for _, id in ipairs(due) do
    local entry = read_entry(entry_key(id), HEAD)
    local suspect = entry and is_suspect(deaths_of(entry))
    if suspect and free or not suspect and claimed < limit then
      zrem(later, id)
      take(later, id)
    end
  end
end

-- How many of a class the claimer is to take.
local function portion(pending)
  local class, waits = string.sub(pending, #PREFIX + #'pending:' + 1), redis.call('ZCARD', pending)
  local load, hosts = whole(redis.call('HGET', SUMS, class)) or 0, redis.pcall('ZCARD', PREFIX .. 'hosts:' .. class)
  hosts = type(hosts) == 'number' and math.max(hosts, 1) or 1
  local home = cluster_of(by)
  local has = home and whole(redis.call('ZSCORE', load_key(home), by)) or 0
  local fair = math.ceil((load + waits) / hosts) - has
  return overflow > 0 and math.max(fair, math.ceil(waits / overflow)) or fair
end

local remaining = 0
for i = 5, #KEYS, 2 do
  local before = claimed
  local share = claimed < limit and portion(KEYS[i]) or 0
  while claimed < limit and claimed - before < share and left > 0 do
    local page = zrange(KEYS[i], 0, math.min(limit - claimed, share - claimed + before, left) - 1)
    if #page == 0 then break end
    left = left - #page
    zrem_all(KEYS[i], page)
    for _, id in ipairs(page) do take(KEYS[i], id) end
  end
  if left > 0 then take_later(KEYS[i + 1]) end
  add_load(by, (claimed - before) * reserved)
  remaining = remaining + redis.call('ZCARD', KEYS[i]) + due_in(KEYS[i + 1])
end
if claimed > 0 then
  zadd_all(own, owned)
  keep_epoch()
  local hinted = remaining > 0 and whole(redis.call('HGET', META, 'hinted'))
  if not hinted or now < hinted or now - hinted >= HINT_INTERVAL then
    if remaining > 0 then redis.call('HSET', META, 'hinted', text(now)) end
    hint('claimed')
  end
end
reply[1], reply[2] = text(remaining), text(deleted)
return reply
