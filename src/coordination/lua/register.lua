-- register: joins the namespace with a lease; repeating it renews.
-- ARGV 5 incarnation, 6 broker (escaped), 7 record, 8 ttl in ms, 9 schema, 10 generation, 11 secret (10, 11: used by the first)
-- Replies: {'joined', now, expires, restart number, generation, secret, server}
--          {'used', incarnation, record, expires, now}: another life of this broker has a lease, valid or expired; nothing changed
--          {'schema', version}: the namespace belongs to another version; nothing changed
-- Never half-done: a lease without record, a record without its place in load:<cluster>; a server agreed on while those who
--          have a lease there are not awaited.
-- Cost: about 20 µs; 3 µs a broker on a server that is not agreed on.
-- Full memory: refused.
local incarnation, broker, record, ttl = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local schema, generation, secret = ARGV[9], ARGV[10], ARGV[11]

local foreign = foreign_schema(schema)
if foreign then return foreign end

local used = other_life(broker, incarnation)
if used then return used end

if redis.call('HGET', META, 'server') ~= SERVER then agree(0, incarnation) end
join(incarnation, broker, record, ttl, schema, generation, secret)
return joined(ttl)
