-- repair: removes what another program put under the keys of the tables, of another type than theirs. Only after a script
-- has met one: the others need not look.
-- Replies: how many were removed
-- Cost: about 1 µs a broker and class.
-- Full memory: works: nothing is put in.
local removed, checked = 0, {}

local function check(key, kind)
  if checked[key] then return end
  checked[key] = true
  local found = redis.call('TYPE', key).ok
  if found == 'none' or found == kind then return end
  remove_foreign(key)
  removed = removed + 1
end

check(META, 'hash')
check(LEASES, 'zset')
check(BROKERS, 'hash')
check(IDS, 'hash')
check(PREFIX .. 'dead', 'hash')
check(PREFIX .. 'awaited', 'hash')
check(PREFIX .. 'trials', 'hash')
check(SUMS, 'hash')
check(PREFIX .. 'changes', 'zset')
check(PREFIX .. 'departed', 'zset')
local all = redis.call('HGETALL', BROKERS)
for i = 1, #all, 2 do
  check(PREFIX .. 'own:' .. all[i], 'zset')
  local cluster, classes = string.match(all[i + 1], '^([^:]*):.*:([^:]*)$')
  if cluster then check(load_key(cluster), 'zset') end
  for class in string.gmatch(classes or '', '[^,]+') do
    check(pending_key(cluster, class), 'zset')
    check(hosts_key(cluster, class), 'zset')
    check(PREFIX .. 'later:' .. cluster .. ':' .. class, 'zset')
  end
end
for i = 4, #KEYS do
  if string.sub(KEYS[i], 1, #PREFIX + 2) ~= PREFIX .. 'w:' then check(KEYS[i], 'zset') end
end
return removed
