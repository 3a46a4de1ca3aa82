-- secret: what the brokers of the namespace prove themselves by; the first broker that asks makes it.
-- ARGV 5 schema, 6 generation, 7 secret (6, 7: used by the first)
-- Replies: {'secret', secret}
--          {'schema', version}: the namespace belongs to another version; nothing changed
-- Never half-done: a secret without schema or generation.
-- Cost: about 5 µs.
-- Full memory: refused.
local schema, generation, secret = ARGV[5], ARGV[6], ARGV[7]

local found = redis.call('HGET', META, 'schema')
if found and found ~= schema then return {'schema', found} end
redis.call('HSETNX', META, 'schema', schema)
keep_or_set('generation', generation)
keep_or_set('secret', secret)
return {'secret', redis.call('HGET', META, 'secret')}
