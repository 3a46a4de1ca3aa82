-- restore: puts back workers that live with their owner, over whatever stands under a lower epoch.
-- KEYS 4 the owner's own:.  ARGV 5 owner, then thirteen a worker: id, class, cluster, epoch, cause, created, recoverable, attributes,
--      state, load, attempt, deaths, returns
-- Replies: one a worker: 1, or 0 when a higher epoch stands, or another owner under the same
--          0: the owner is not registered; nothing changed
-- States: any gives way to the same or a higher epoch, quarantined too (its owner proves that it lives); at the same epoch not
--          what another owns.
-- Never half-done: an entry in two own:, or in own: and pending; a sum that differs from the loads.
-- Cost: about 11 µs a worker (Redis 7.0).
-- Full memory: refused.
local own, owner = KEYS[4], ARGV[5]

-- Milliseconds a worker: an owner that restores fewer than 1 000 a second is awaited as long as its lease lasts, and no longer.
local SLOWEST = 1

if not lease(owner) then return 0 end
local reply, change, told = {}, 0, {}

-- Takes an entry from where it stands.
local function take(id, entry)
  local load = whole(entry[6]) or 0
  if entry[3] == 'pending' or entry[3] == 'quarantined' then
    if entry[4] and entry[5] then
      zrem(pending_key(entry[4], entry[5]), id)
      zrem(later_key(entry[4], entry[5]), id)
    end
  elseif entry[1] == owner then
    change = change - load
  elseif entry[1] then
    zrem(PREFIX .. 'own:' .. entry[1], id)
    add_load(entry[1], -load)
    if not told[entry[1]] then hint('overruled:' .. entry[1]) end
    told[entry[1]] = true
  end
end

for i = 6, #ARGV, 13 do
  local id, class, cluster, epoch, cause, created, recoverable, attributes, state, load, attempt = unpack(ARGV, i, i + 10)
  local deaths, returns = ARGV[i + 11], ARGV[i + 12]
  local key = PREFIX .. 'w:' .. id
  local entry = entry_of(redis.pcall('HMGET', key, 'owner', 'epoch', 'state', 'cluster', 'class', 'load'), key)
  local stands, held = whole(entry[2]) or 0, tonumber(epoch)
  saw_epoch(epoch)
  local foreign = entry[1] ~= owner and entry[3] ~= 'pending' and entry[3] ~= 'quarantined'
  if entry[3] and (stands > held or stands == held and foreign) then
    reply[#reply + 1] = 0
  else
    if entry[3] then take(id, entry) end
    redis.call('HMSET', key, 'class', class, 'cluster', cluster, 'owner', owner, 'epoch', epoch, 'state', state, 'cause', cause,
      'created', created, 'recoverable', recoverable, 'load', load, 'attempt', attempt, 'attributes', attributes)
    redis.call('HDEL', key, 'deaths', 'returns')
    if deaths ~= '0' then redis.call('HSET', key, 'deaths', deaths) end
    if returns ~= '0' then redis.call('HSET', key, 'returns', returns) end
    zadd(own, created, id)
    change = change + tonumber(load)
    reply[#reply + 1] = 1
  end
end
keep_epoch()
add_load(owner, change)
-- What an awaited owner puts back buys as much time as it takes at the slowest rate that is waited for.
if redis.call('HGET', AWAITED, owner) == '1' then
  local meta = redis.call('HMGET', META, 'healing', 'patience')
  local ends, patience = whole(meta[1]), whole(meta[2])
  if ends and patience and ends > now then
    redis.call('HSET', META, 'healing', text(math.min(ends + #reply * SLOWEST, now + patience)))
  end
end
return reply
