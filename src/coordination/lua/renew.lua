-- renew: extends a lease to now + ttl, expired or not.
-- ARGV 4 incarnation, 5 ttl in ms
-- Replies: {now, expires, next expiry of another incarnation or nil}; {now} when there is no lease
-- Cost: O(log brokers).
local incarnation, ttl = ARGV[4], tonumber(ARGV[5])

if not lease(incarnation) then return {text(now)} end
redis.call('ZADD', LEASES, text(now + ttl), incarnation)
local first = redis.call('ZRANGE', LEASES, 0, 1, 'WITHSCORES')
local upcoming = false
if first[1] ~= incarnation then upcoming = first[2] elseif first[3] then upcoming = first[4] end
return {text(now), text(now + ttl), upcoming}
