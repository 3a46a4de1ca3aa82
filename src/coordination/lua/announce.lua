-- announce: puts back what a member knows of the namespace, into a database that may have lost it.
-- ARGV 5 incarnation, 6 record, 7 ttl in ms, 8 schema, 9 new generation (used by the first), 10 generation that it knew, 11 secret,
--      12 highest epoch, 13 restart number, 14 patience in ms, 15 how many counters, then a class (escaped) and an n each, then
--      the incarnations that it remembers
-- Replies: {'joined', now, expires, restart number, generation, secret, server}
--          {'used', …} as in register: another life of this broker has a lease; nothing changed
--          {'schema', version}: the namespace belongs to another version; nothing changed
-- Never half-done: as in register; a generation or server agreed on before its first announcer is awaited.
-- Cost: about 35 µs, 3 µs a broker and 2 µs a class.
-- Full memory: refused.
local incarnation, record, ttl, schema, generation, knew = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10]
local secret, patience, counters = ARGV[11], tonumber(ARGV[14]), 15 + 2 * tonumber(ARGV[15])

local foreign = foreign_schema(schema)
if foreign then return foreign end
local broker = broker_of(record)
local used = other_life(broker, incarnation)
if used then return used end
join(incarnation, broker, record, ttl, schema, generation, secret)

saw_epoch(ARGV[12])
keep_epoch()
local function raise(field, number)
  if tonumber(number) > (whole(redis.call('HGET', META, field)) or 0) then redis.call('HSET', META, field, number) end
end
raise('restart', ARGV[13])
for i = 16, counters, 2 do raise('n:' .. ARGV[i], ARGV[i + 1]) end

local meta = redis.call('HMGET', META, 'server', 'generation', 'was:' .. knew, 'healing')
local wiped = meta[2] ~= knew and not meta[3]
if meta[2] ~= knew then redis.call('HSET', META, 'was:' .. knew, '1') end
local healing = meta[1] == SERVER and meta[4]
if meta[1] ~= SERVER then
  agree(patience)
  healing = true
elseif wiped and not healing then
  begin_healing(patience)
  healing = true
end
if healing then
  await(incarnation)
  -- Who has a lease is awaited already, or has joined this database since.
  for i = counters + 1, #ARGV do
    if not lease(ARGV[i]) then await(ARGV[i]) end
  end
end
return joined(ttl)
