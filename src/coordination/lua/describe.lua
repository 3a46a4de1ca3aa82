-- describe: entries as they are.
-- KEYS 4… entries.  ARGV 5 '1': with their attributes
-- Replies: for each its text as in entry.lua, the attributes empty unless they are wanted ('': none that can be read), and its
--          owner's record ('': none), …
-- Cost: about 4 µs an entry.
-- Full memory: works: nothing is put in.
local last = ARGV[5] == '1' and -1 or NEAR
local records, reply = {}, {}
for i = 4, #KEYS do
  local entry = read_entry(KEYS[i], last)
  local class, cluster
  if entry then class, cluster = names_of(KEYS[i], entry) end
  if class and last == NEAR then entry = string.sub(entry, 1, HEAD) .. class .. ':' .. cluster .. ':' end
  local owner = class and owner_of(entry) or ''
  if owner ~= '' and records[owner] == nil then records[owner] = redis.call('HGET', BROKERS, owner) or '' end
  reply[#reply + 1], reply[#reply + 2] = class and entry or '', records[owner] or ''
end
return reply
