-- timers: workers that are asleep, by the time of their next timer. Each class has a set of its own.
local function timers_key(cluster, class) return PREFIX .. 'timers:' .. cluster .. ':' .. class end

-- The longest that a worker whose activations fail waits until its timer tries another one, ms.
local LONGEST_REST = 60000

-- The time of the next timer of a worker (data.lua); nil without one.
local function next_timer(id)
  local reply = redis.pcall('GETRANGE', data_key(id), 42, 54)
  local due = type(reply) == 'string' and whole(reply)
  return due and due > 0 and due or nil
end

-- A worker that was asleep is not any more.
local function forget_timer(id, entry, cluster, class)
  if has_data(entry) then zrem(timers_key(cluster, class), id) end
end

-- The time of the first; nil without one.
local function first_timer(timers)
  local first = zrange(timers, 0, 0, 'WITHSCORES')
  return first[1] and whole(first[2]) or nil
end

-- A worker has just fallen asleep: its next timer wakes it. Brokers that host the class are told of a new first one.
local function await_timer(id, entry, cluster, class, attempt)
  if not has_data(entry) then return end
  local due, timers = next_timer(id), timers_key(cluster, class)
  if not due then
    zrem(timers, id)
    return
  end
  if attempt > 0 then due = math.max(due, now + math.min(LONGEST_REST, 1000 * 2 ^ (attempt - 1))) end
  local first = first_timer(timers)
  zadd(timers, text(due), id)
  if not first or due < first then hint('timer:' .. cluster .. ':' .. class .. ':' .. text(due)) end
end

