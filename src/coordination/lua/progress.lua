-- progress: how a member that restores its workers stays awaited.
-- Milliseconds a worker: an owner that reads or restores fewer than 1 000 a second is awaited as long as the patience lasts, and no
-- longer.
local SLOWEST = 1

local function gain_time(owner, count)
  if count == 0 or redis.call('HGET', AWAITED, owner) ~= '1' then return end
  local meta = redis.call('HMGET', META, 'healing', 'patience')
  local ends, patience = whole(meta[1]), whole(meta[2])
  if ends and patience and ends > now then
    redis.call('HSET', META, 'healing', text(math.min(ends + count * SLOWEST, now + patience)))
  end
end

