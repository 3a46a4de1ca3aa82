-- due: how many wait in a later: whose time has come.
local function due_in(later)
  local reply = redis.pcall('ZCOUNT', later, '-inf', text(now))
  if type(reply) == 'number' then return reply end
  is_foreign(reply, later)
  return 0
end

