-- locate: where a worker is.
-- KEYS 4 the entry
-- Replies: {} without entry, 0 when it may have been forgotten, {class, cluster} when it is pending, {class, 'suspected', deaths} when
--          it waits to be tried alone, {class, 'quarantined', deaths}, {class, owner, epoch, state, host or nil, port or nil}
-- Cost: about 3 µs.
-- Full memory: works: nothing is written.
local entry = entry_of(redis.pcall('HMGET', KEYS[4], 'class', 'owner', 'epoch', 'state', 'cluster', 'deaths'), KEYS[4])
if not entry[4] then return unsettled() and 0 or {} end
if entry[4] == 'quarantined' then return {entry[1], 'quarantined', text(whole(entry[6]) or 0)} end
if entry[4] == 'pending' then
  if is_suspect(entry[6]) then return {entry[1], 'suspected', entry[6]} end
  return {entry[1], entry[5]}
end
local host, port = address(entry[2])
return {entry[1], entry[2], entry[3], entry[4], host, port}
