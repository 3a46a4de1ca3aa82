-- healing: whether the tables may be taken for whole. They may not on a server other than the one agreed on, nor while
-- somebody is awaited: then nothing unknown is activated, and nobody is evicted.
local AWAITED = PREFIX .. 'awaited'
-- The longest that is waited for anybody, ms: records and the time in meta may have been written by another program.
local MAX_PATIENCE = 600000

local function unsettled()
  local meta = redis.call('HMGET', META, 'server', 'healing')
  return meta[1] ~= SERVER or meta[2] ~= false
end

local function end_healing()
  redis.call('HDEL', META, 'healing', 'patience')
  redis.call('DEL', AWAITED)
  hint('settled')
end

-- Who has put back everything, or will never do so, is awaited no more.
local function await_no_more(incarnation)
  if redis.call('HEXISTS', AWAITED, incarnation) == 0 then return end
  redis.call('HSET', AWAITED, incarnation, '0')
  for _, awaited in ipairs(redis.call('HVALS', AWAITED)) do
    if awaited == '1' then return end
  end
  end_healing()
end

