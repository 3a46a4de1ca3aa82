-- ring: sleeping workers whose timers are due wait for an owner from now on, as those do that are recovered.
-- KEYS 4… timers: of each class.  ARGV 5 who asks, 6 workers at most, 7… one a class: its cluster and name, as in keys
-- Replies: {'stranger'}: who asks has no valid lease, nothing changed; {'unsettled'}: what sleeps may live somewhere, nothing changed
--          {how many wait now, then one a class: the time of its next timer in ms, or '' without one}
-- States: asleep becomes pending; an id in any other state is dropped from the set.
-- Never half-done: an entry that is pending and in no set.
-- Cost: about 10 µs, 4 µs a worker, 3 µs a class.
-- Full memory: works.
local by, left = ARGV[5], tonumber(ARGV[6])

if unsettled() then return {'unsettled'} end
if not valid(by) then return {'stranger'} end
local reply, rung = {'0'}, 0

-- The worker of this class waits from now on; the set that it waits in, and its score there.
local function let_wait(id, home)
  local key = entry_key(id)
  local entry = read_entry(key, NEAR)
  if not entry or state_of(entry) ~= 's' then return end
  local class, cluster = names_of(key, entry)
  if not class or cluster .. ':' .. class ~= home then return end
  local cause = string.sub(entry, 2, 2) == '0' and '0' or '3'
  redis.call('SETRANGE', key, 0, 'w' .. cause)
  if is_suspect(deaths_of(entry)) then return 'later:', now end
  return 'pending:', created_of(entry)
end

for i = 4, #KEYS do
  local home, sets, last = ARGV[i + 3], {['pending:'] = {}, ['later:'] = {}}, nil
  local due = redis.pcall('ZRANGEBYSCORE', KEYS[i], '-inf', text(now), 'LIMIT', '0', text(left))
  if due.err then
    is_foreign(due, KEYS[i])
    due = {}
  end
  left = left - #due
  zrem_all(KEYS[i], due)
  for _, id in ipairs(due) do
    local name, score = let_wait(id, home)
    if name then
      local set = sets[name]
      set[#set + 1], set[#set + 2] = text(score), id
      rung, last = rung + 1, id
    end
  end
  for name, set in pairs(sets) do zadd_all(PREFIX .. name .. home, set) end
  local next = first_timer(KEYS[i])
  if last then
    local count = redis.call('ZCARD', PREFIX .. 'pending:' .. home) + due_in(PREFIX .. 'later:' .. home)
    hint('pending:' .. home .. ':' .. text(count) .. ':' .. last)
  end
  -- Others need not ask for what was taken.
  if #due > 0 then hint('timer:' .. home .. ':' .. (next and text(next) or '0')) end
  reply[#reply + 1] = next and text(next) or ''
end
reply[1] = text(rung)
return reply
