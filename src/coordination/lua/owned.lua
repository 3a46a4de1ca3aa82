-- owned: ids and epochs that stand under an owner, oldest first.
-- KEYS 4 own: of the owner.  ARGV 5 owner, 6 offset, 7 limit (above 0)
-- Replies: {id, epoch, id, epoch, …}
-- Members of own: that the owner does not own are removed, a page of them at a time.
-- Cost: about 3 µs an entry.
-- Full memory: works: nothing is put in.
local own, owner, offset, limit = KEYS[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

local PAGES = 5
local reply, page, pages = {}, nil, 0
repeat
  local strays, from = false, offset + #reply / 2
  page, pages = redis.call('ZRANGE', own, text(from), text(offset + limit - 1)), pages + 1
  for _, id in ipairs(page) do
    local key = PREFIX .. 'w:' .. id
    local entry = entry_of(redis.pcall('HMGET', key, 'owner', 'epoch'), key)
    if entry[1] == owner and is_id(id) then
      reply[#reply + 1] = id
      reply[#reply + 1] = entry[2] or '0'
    else
      redis.call('ZREM', own, id)
      strays = true
    end
  end
until not strays or pages == PAGES
return reply
