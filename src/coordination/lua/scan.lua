-- scan: everything about the members in one step.
-- ARGV 5 the asking incarnation
-- Replies: {now, restart number, generation, claimable, '1' when all is settled / '0', {unsalvaged incarnations}, incarnation, record, expires, load, incarnation, record, …}
-- Cost: about 3 µs a broker, 1 µs a class that the asking broker hosts.
-- Full memory: works.
local by = ARGV[5]

local claimable = 0
local record = redis.call('HGET', BROKERS, by) or ''
local cluster, classes = string.match(record, '^([^:]*):.*:([^:]*)$')
for class in string.gmatch(classes or '', '[^,]+') do
  claimable = claimable + redis.call('ZCARD', pending_key(cluster, class)) + due_in(later_key(cluster, class))
end

local meta = redis.call('HMGET', META, 'restart', 'generation')
local reply = {text(now), text(whole(meta[1]) or 0), meta[2] or '', text(claimable), unsettled() and '0' or '1', redis.call('HKEYS', PREFIX .. 'dead')}
local leases = redis.call('ZRANGE', LEASES, 0, -1, 'WITHSCORES')
for i = 1, #leases, 2 do
  local member = redis.call('HGET', BROKERS, leases[i])
  local home = string.match(member or '', '^([^:]*):')
  if not home and not valid(leases[i]) then
    -- A lease without a record is nobody's.
    redis.call('ZREM', LEASES, leases[i])
  elseif home then
    local n = #reply
    reply[n + 1], reply[n + 2] = leases[i], member
    reply[n + 3] = text(cut(leases[i], tonumber(leases[i + 1]), member))
    reply[n + 4] = redis.call('ZSCORE', load_key(home), leases[i]) or '0'
  end
end
return reply
