-- register: joins the namespace with a lease; repeating it renews.
-- ARGV 5 incarnation, 6 broker (escaped), 7 record, 8 ttl in ms, 9 schema, 10 generation, 11 secret (10, 11: used by the first)
-- Replies: {'joined', now, expires, restart number, generation, secret, server}
--          {'used', incarnation, record, expires}: another life of this broker has a valid lease; nothing changed
--          {'schema', version}: the namespace belongs to another version; nothing changed
-- Never half-done: a lease without record, a record without its place in load:<cluster>; a server agreed on while those who
--          have a lease there are not awaited.
-- Cost: one HGETALL of the brokers, about 1 µs each; 3 µs each on a server that is not agreed on.
-- Full memory: refused.
local incarnation, broker, record, ttl = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local schema, generation, secret = ARGV[9], ARGV[10], ARGV[11]

local foreign = foreign_schema(schema)
if foreign then return foreign end

local holder, holder_record
local all = redis.call('HGETALL', BROKERS)
for i = 1, #all, 2 do
  local same = string.match(all[i + 1], '^[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):') == broker
  if same and all[i] ~= incarnation and valid(all[i]) and (not holder or all[i] < holder) then
    holder, holder_record = all[i], all[i + 1]
  end
end
if holder then return {'used', holder, holder_record, text(lease(holder))} end

if redis.call('HGET', META, 'server') ~= SERVER then agree(0, incarnation) end
join(incarnation, record, ttl, schema, generation, secret)
return joined(ttl)
