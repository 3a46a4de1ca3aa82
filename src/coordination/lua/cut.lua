-- cut: a lease further away than its record's ttl was given before the clock stepped back. Taken out and put in again: a first
-- write that enlarges memory would be refused where it is full.
local function cut(incarnation, expires, record)
  if expires < 0 then return 0 end
  local longest = now + (ttl_of(record) or expires)
  if expires <= longest then return expires end
  redis.call('ZREM', LEASES, incarnation)
  redis.call('ZADD', LEASES, text(longest), incarnation)
  return longest
end

