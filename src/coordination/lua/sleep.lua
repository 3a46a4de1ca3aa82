-- sleep: idle workers of an owner leave memory. Their entries stay without an owner, until a message wakes them.
-- KEYS 4 the owner's own:.  ARGV 5 owner, then two a worker: id, epoch
-- Replies: one a worker: 's' asleep; 'f' another owner or none stands at this epoch, or a higher one; 'u' what stands here may be from
--          the past, or nothing stands. Nothing changed but where it is 's'
-- States: placing and active become asleep, kept or not; pending, asleep and quarantined have no owner: 'f' at this
--         epoch or a higher one, else 'u'.
-- Never half-done: an entry in own: that is asleep; one that sleeps and whose timer nobody awaits; a load that is still counted.
-- Cost: about 20 µs, 3 µs a worker and 2 µs a class that the owner hosts.
-- Full memory: works.
local own, owner, name = KEYS[4], ARGV[5], padded(ARGV[5])

local reply, gone, load = {}, {}, 0
local unsure = unsettled()
for i = 6, #ARGV, 2 do
  local id, epoch = ARGV[i], tonumber(ARGV[i + 1])
  local key = entry_key(id)
  local entry = not unsure and read_entry(key, NEAR)
  local stands = entry and epoch_of(entry) or 0
  if entry and stands == epoch and is_owned_by(entry, name) then
    -- Its activation ended well, whether the registry was told so or not.
    local age = now - activated_of(entry)
    redis.call('SETRANGE', key, 0, asleep_head(entry, '1', 0, aged(deaths_of(entry), age, false), aged(returns_of(entry), age, false)))
    local class, cluster = names_of(key, entry)
    if class then await_timer(id, entry, cluster, class, 0) end
    gone[#gone + 1] = id
    load = load + load_of(entry)
    reply[#reply + 1] = 's'
  else
    reply[#reply + 1] = entry and stands >= epoch and 'f' or 'u'
  end
end
zrem_all(own, gone)
add_load(owner, -load)
return reply
