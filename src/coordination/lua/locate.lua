-- locate: where a worker is.
-- KEYS 4 the entry
-- Replies: {} without entry, 0 when it may have been forgotten, {class, cluster} when it is pending, {class, 'asleep', cluster},
--          {class, 'suspected', deaths} when it waits to be tried alone, {class, 'quarantined', deaths}, {class, owner, epoch, state ('p' or 'a'), host or nil, port or nil};
--          1 when the entry cannot be read
-- States: each has its reply; placing and active are told apart by the state.
-- Cost: about 8 µs.
-- Full memory: works: nothing is written.
local entry = read_entry(KEYS[4], NEAR)
if not entry then return unsettled() and 0 or {} end
local state, class, cluster = state_of(entry), names_of(KEYS[4], entry)
local deaths, epoch = deaths_of(entry), epoch_of(entry)
if not class or not epoch then return 1 end
if state == 'q' then return {class, 'quarantined', text(deaths)} end
if state == 's' then return {class, 'asleep', cluster} end
if state == 'w' then
  if is_suspect(deaths) then return {class, 'suspected', text(deaths)} end
  return {class, cluster}
end
local owner = owner_of(entry)
local host, port = address(owner)
return {class, owner, text(epoch), state, host, port}
