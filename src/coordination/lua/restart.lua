-- restart: counts a restartAll().
-- Replies: the new restart number
-- Cost: constant.
-- Full memory: refused.
local number = redis.call('HINCRBY', META, 'restart', 1)
hint('restart')
return number
