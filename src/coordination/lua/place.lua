-- place: finds the workers of ids, or reserves them on the least loaded broker that hosts their class; one after the other.
-- ARGV 5 load to reserve, 6 ids to try at most, 7… nine a request: asking incarnation, '1': the id is given / '0': count
--      from it, id or class name, class, cluster, recoverable, ttl in ms (0: none), attributes,
--      incarnations that are not chosen (in one text)
-- Replies: one a request:
--          {'reserved', id, class, owner, epoch, host, port}
--          {'existing', id, class, owner, epoch, state, host or nil, port or nil}, {'stranger'}: nothing changed
--          {'none', cluster}: no broker of it can take the class; nothing changed
--          {'waits', id, class, cluster}: the id waits to be made again, and is of this other class; nothing changed
--          {'later', class, deaths}: pending, and not to be placed before its time, or before it was tried alone; nothing changed
--          {'quarantined', class, deaths}: nothing changed
--          {'unsettled'}: no entry has an owner, and one may have been forgotten; nothing changed
--          {'unreadable', id}: the entry cannot be read; nothing changed
--          {'again'}: the next ids of the class are all taken; the counter is past them, ask once more
-- States: placing and active are found, pending is placed where it need not wait, quarantined is told.
-- Never half-done: an entry that is not in its owner's own:, whose load is not counted, or whose epoch is not in meta.
-- Cost: 31 to 37 µs for one (Redis 7.0).
-- Full memory: refused.
local reserved, limit = ARGV[5], tonumber(ARGV[6])
local unsure, placed = unsettled(), {}

local function place(by, named, id, class, cluster, recoverable, ttl, attributes, excluded)
  if not valid(by) then return {unsure and 'unsettled' or 'stranger'} end
  local created, previous, waits, later, recover, attempt = text(now), '0', false, false, false, 1
  if named then
    local key = PREFIX .. 'w:' .. id
    local entry = entry_of(redis.pcall('HMGET', key, 'state', 'class', 'cluster', 'owner', 'epoch', 'created', 'deaths', 'attempt'), key)
    local deaths = text(whole(entry[7]) or 0)
    if entry[1] == 'quarantined' then
      if not is_name(entry[2]) then return {'unreadable', id} end
      return {'quarantined', entry[2], deaths}
    elseif entry[1] and entry[1] ~= 'pending' then
      if not is_name(entry[2]) or not entry[4] or not whole(entry[5]) then return {'unreadable', id} end
      local host, port = address(entry[4])
      return {'existing', id, entry[2], entry[4], entry[5], entry[1], host, port}
    elseif entry[1] then
      -- One that cannot be read is made new.
      local sound = is_sound(entry[2], entry[3], entry[5], entry[6], '')
      waits, later, previous = sound and pending_key(entry[3], entry[2]), sound and later_key(entry[3], entry[2]), entry[5]
      local due = sound and due_of(later, id)
      if due and (is_suspect(entry[7]) or due > now) then return {'later', entry[2], deaths} end
      recover = sound and (ttl == 0 or now - tonumber(entry[6]) <= ttl)
      if recover and entry[2] ~= class then return {'waits', id, entry[2], entry[3]} end
      if recover then cluster, created, attempt = entry[3], entry[6], next_attempt(entry[8]) end
    end
  end

  if unsure then return {'unsettled'} end
  local owner, host, port = choose(cluster, class, excluded)
  if not owner then return {'none', cluster} end
  if not named then
    local base, tries = id, limit
    repeat
      if tries == 0 then return {'again'} end
      tries = tries - 1
      id = base .. '#' .. text(increment('n:' .. class, 1))
    until redis.call('EXISTS', PREFIX .. 'w:' .. id) == 0
  end

  local key, epoch = PREFIX .. 'w:' .. id, next_epoch(previous)
  keep_epoch()
  if waits then
    zrem(waits, id)
    zrem(later, id)
  end
  if recover then
    hint('claimed')
    redis.call('HMSET', key, 'state', 'placing', 'owner', owner, 'epoch', epoch, 'attempt', attempt, 'load', reserved,
      'activated', text(now))
  else
    if previous ~= '0' then redis.call('HDEL', key, 'deaths', 'returns') end
    redis.call('HMSET', key, 'state', 'placing', 'owner', owner, 'epoch', epoch, 'cause', '0', 'attempt', attempt,
      'load', reserved, 'class', class, 'cluster', cluster, 'created', created, 'recoverable', recoverable, 'attributes', attributes,
      'activated', text(now))
  end
  zadd(PREFIX .. 'own:' .. owner, created, id)
  zincrby(load_key(cluster), reserved, owner)
  placed[owner] = (placed[owner] or 0) + tonumber(reserved)
  return {'reserved', id, class, owner, epoch, host, port}
end

local replies = {}
for i = 7, #ARGV, 9 do
  replies[#replies + 1] = place(ARGV[i], ARGV[i + 1] == '1', ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5],
    tonumber(ARGV[i + 6]), ARGV[i + 7], ARGV[i + 8])
end
for owner, load in pairs(placed) do count(redis.call('HGET', BROKERS, owner), load, 0) end
return replies
