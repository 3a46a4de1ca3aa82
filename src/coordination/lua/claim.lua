-- claim: takes pending workers over; beside its share and the limit one suspect, where the claimer tries none.
-- KEYS 4 the claimer's own:, 5… pending: and later: of each class.  ARGV 5 claimer, 6 limit, 7 ttl in ms (0: none), 8 looked at at
--      most, 9 load to reserve, 10 of what waits one part in so many at least, whatever the claimer's load is (0: none), 11 '1': the
--      claimer's trial is over / '0'
-- Replies: {'stranger'}: the claimer has no valid lease, nothing changed; {'unsettled'}: what waits may live somewhere
--          {remaining, deleted, {id, cause, class, cluster, epoch, created, recoverable, attributes, attempt, deaths or nil, returns or
--          nil}, …}; deleted: older than the ttl, or not readable
-- States: pending becomes active; an id in any other state is dropped from the set that it was found in.
-- Never half-done: an entry that is pending and owned; one that is neither.
-- Taken of each class: so many that all brokers that host it end up with the same load.
-- Cost: about 14 µs an entry (Redis 7.0), 3 µs a class.
-- Full memory: works.
local own, by = KEYS[4], ARGV[5]
local limit, ttl, left, reserved = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local overflow = tonumber(ARGV[10])

if unsettled() then return {'unsettled'} end
if not valid(by) then return {'stranger'} end
local reply, deleted, claimed, free = {'0', '0'}, 0, 0, ARGV[11] == '1'
if free then end_trial(by) end

local function take(waiting, id)
  local key = PREFIX .. 'w:' .. id
  local entry = entry_of(redis.pcall('HMGET', key, 'class', 'cluster', 'epoch', 'created', 'recoverable', 'attributes', 'deaths',
    'returns', 'state', 'cause', 'attempt'), key)
  zrem(waiting, id)
  if entry[9] ~= 'pending' then return end
  local sound = is_id(id) and is_sound(entry[1], entry[2], entry[3], entry[4], entry[6])
  -- One that stands in another class's list is found there too.
  if sound and waiting ~= pending_key(entry[2], entry[1]) and waiting ~= later_key(entry[2], entry[1]) then
    zadd(pending_key(entry[2], entry[1]), entry[4], id)
    return
  end
  if not sound or ttl > 0 and now - tonumber(entry[4]) > ttl then
    redis.call('DEL', key)
    if not sound then hint('unreadable:' .. key) end
    deleted = deleted + 1
    return
  end
  local epoch, attempt = next_epoch(entry[3]), next_attempt(entry[11])
  redis.call('HMSET', key, 'state', 'active', 'owner', by, 'epoch', epoch, 'attempt', attempt, 'load', text(reserved),
    'activated', text(now))
  if is_suspect(entry[7]) then
    begin_trial(by, id)
    free = false
  end
  zadd(own, entry[4], id)
  claimed = claimed + 1
  reply[claimed + 2] = {id, entry[10], entry[1], entry[2], epoch, entry[4], entry[5], entry[6], text(attempt), entry[7], entry[8]}
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
    local key = PREFIX .. 'w:' .. id
    local suspect = is_suspect(entry_of(redis.pcall('HMGET', key, 'deaths'), key)[1])
    if suspect and free or not suspect and claimed < limit then take(later, id) end
  end
end

-- How many of a class the claimer is to take.
local function portion(pending)
  local class, waits = string.sub(pending, #PREFIX + #'pending:' + 1), redis.call('ZCARD', pending)
  local sums = redis.call('HMGET', SUMS, 'l:' .. class, 'n:' .. class)
  local load, hosts = whole(sums[1]) or 0, math.max(whole(sums[2]) or 0, 1)
  local home = cluster_of(by)
  local own = home and whole(redis.call('ZSCORE', load_key(home), by)) or 0
  local fair = math.ceil((load + waits) / hosts) - own
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
    for _, id in ipairs(page) do take(KEYS[i], id) end
  end
  if left > 0 then take_later(KEYS[i + 1]) end
  add_load(by, (claimed - before) * reserved)
  remaining = remaining + redis.call('ZCARD', KEYS[i]) + due_in(KEYS[i + 1])
end
if claimed > 0 then
  keep_epoch()
  hint('claimed')
end
reply[1], reply[2] = text(remaining), text(deleted)
return reply
