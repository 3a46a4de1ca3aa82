-- restart: counts a restartAll().
-- Replies: the new restart number
-- Cost: constant.
-- Full memory: refused.
local number = increment('restart', 1)
hint('restart')
return number
