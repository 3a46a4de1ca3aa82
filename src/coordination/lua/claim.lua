-- claim: takes pending workers over.
-- KEYS 4 the claimer's own:, 5… pending: of the classes.  ARGV 5 claimer, 6 limit, 7 ttl in ms (0: none), 8 looked at at most,
--      9 load to reserve
-- Replies: {'stranger'}: the claimer has no valid lease, nothing changed; {'unsettled'}: what waits may live somewhere
--          {remaining, expired, {id, cause, class, cluster, epoch, created, recoverable, attributes, attempt}, …}
-- Never half-done: an entry that is pending and owned; one that is neither.
-- Cost: about 14 µs an entry (Redis 7.0), 1 µs a class.
-- Full memory: works.
local own, by = KEYS[4], ARGV[5]
local limit, ttl, left, reserved = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

if unsettled() then return {'unsettled'} end
if not valid(by) then return {'stranger'} end
local reply, expired, claimed = {'0', '0'}, 0, 0

local function take(pending, id)
  local key = PREFIX .. 'w:' .. id
  local entry = redis.call('HMGET', key, 'class', 'cluster', 'epoch', 'created', 'recoverable', 'attributes', 'state',
    'cause', 'attempt')
  redis.call('ZREM', pending, id)
  if entry[7] ~= 'pending' then return end
  if ttl > 0 and now - tonumber(entry[4]) > ttl then
    redis.call('DEL', key)
    expired = expired + 1
    return
  end
  local epoch, attempt = next_epoch(entry[3]), next_attempt(entry[9])
  redis.call('HMSET', key, 'state', 'active', 'owner', by, 'epoch', epoch, 'attempt', attempt, 'load', text(reserved))
  redis.call('ZADD', own, entry[4], id)
  claimed = claimed + 1
  reply[claimed + 2] = {id, entry[8], entry[1], entry[2], epoch, entry[4], entry[5], entry[6], text(attempt)}
end

local remaining = 0
for i = 5, #KEYS do
  while claimed < limit and left > 0 do
    local page = redis.call('ZRANGE', KEYS[i], 0, math.min(limit - claimed, left) - 1)
    if #page == 0 then break end
    left = left - #page
    for _, id in ipairs(page) do take(KEYS[i], id) end
  end
  remaining = remaining + redis.call('ZCARD', KEYS[i])
end
if claimed > 0 then keep_epoch() end
add_load(by, claimed * reserved)
reply[1], reply[2] = text(remaining), text(expired)
return reply
