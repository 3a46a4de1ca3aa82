-- settle: a member has put back everything it holds; the last that was awaited ends the healing.
-- ARGV 5 incarnation, 6 server and 7 generation that answered its announcement
-- Replies: 1, or 0 when the database is no longer that one; nothing changed
-- Never half-done: some awaited without healing, or the reverse.
-- Cost: about 5 µs, 1 µs a broker that is awaited.
-- Full memory: works.
local meta = redis.call('HMGET', META, 'server', 'generation')
if SERVER ~= ARGV[6] or meta[1] ~= ARGV[6] or meta[2] ~= ARGV[7] then return 0 end
await_no_more(ARGV[5])
return 1
