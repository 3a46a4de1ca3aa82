-- renew: extends a lease to now + ttl, expired or not. Here the time for healing runs out, whoever renews.
-- ARGV 5 incarnation, 6 ttl in ms
-- Replies: {now, server, '1' when it is agreed on / '0', generation or nil, expires, until when this incarnation is surely
--          awaited ('': it is not), and the next other lease to run out: expires, incarnation}
--          {now, server, '1' / '0', generation or nil} when there is no lease
-- Never half-done: some awaited without healing, or the reverse.
-- Cost: about 10 µs, O(log brokers).
-- Full memory: works.
local incarnation, ttl = ARGV[5], tonumber(ARGV[6])

local meta = redis.call('HMGET', META, 'server', 'generation', 'healing', 'patience')
local agreed = meta[1] == SERVER
local ends, patience = whole(meta[3]), math.min(whole(meta[4]) or 0, MAX_PATIENCE)
if agreed and ends and ends <= now then
  end_healing()
  ends = nil
elseif agreed and meta[3] and (not ends or ends > now + patience) then
  -- The clock stepped back, or it is no time.
  ends = now + patience
  redis.call('HSET', META, 'healing', text(ends))
end

local reply = {text(now), SERVER, agreed and '1' or '0', meta[2]}
if not lease(incarnation) then return reply end
redis.call('ZADD', LEASES, text(now + ttl), incarnation)
local first = redis.call('ZRANGE', LEASES, 0, 1, 'WITHSCORES')
reply[5] = text(now + ttl)
reply[6] = agreed and ends and redis.call('HGET', AWAITED, incarnation) == '1' and text(ends) or ''
local other = first[1] == incarnation and 3 or 1
if whole(first[other + 1]) then reply[7], reply[8] = first[other + 1], first[other] end
return reply
