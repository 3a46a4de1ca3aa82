-- owned: what stands under an owner, oldest first.
-- KEYS 4 own: of the owner.  ARGV 5 owner, 6 offset, 7 limit (above 0)
-- Replies: {id, head, id, head, …}, each head as far as its owner changes it: state to load, then attempt
-- Members of own: that the owner does not own are removed, a page of them at a time.
-- Cost: about 10 µs, 2 µs an entry.
-- Full memory: works: nothing is put in but a later time.
local own, by, owner, offset, limit = KEYS[4], ARGV[5], padded(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local PAGES = 5
local reply, pages = {}, 0
repeat
  local strays, from = {}, offset + #reply / 2
  local page = redis.call('ZRANGE', own, text(from), text(offset + limit - 1))
  pages = pages + 1
  for _, id in ipairs(page) do
    local entry = read_entry(entry_key(id), HEAD)
    if entry and is_owned_by(entry, owner) and is_id(id) then
      reply[#reply + 1] = id
      reply[#reply + 1] = string.sub(entry, 1, 29) .. string.sub(entry, 56, 61)
    else
      strays[#strays + 1] = id
    end
  end
  zrem_all(own, strays)
until #strays == 0 or pages == PAGES
gain_time(by, #reply / 2)
return reply
