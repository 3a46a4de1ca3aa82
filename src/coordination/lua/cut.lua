-- cut: a lease further away than its record's ttl was given before the clock stepped back.
local function cut(incarnation, expires, record)
  local longest = now + (ttl_of(record) or expires)
  if expires <= longest then return expires end
  redis.call('ZADD', LEASES, text(longest), incarnation)
  return longest
end

