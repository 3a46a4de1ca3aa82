-- guard: what another program wrote under a key of dworker must not stop a script in the middle, because that would leave
-- the tables half-changed. A value of another type is removed, and the command runs again. Keys that a script reads before
-- it writes need no guard: the error comes early, and the caller repairs them (repair.lua).

-- A table that is lost is restored by the brokers, as after a wipe: without a generation all of them announce.
local function remove_foreign(key)
  redis.call('DEL', key)
  if string.sub(key, 1, #PREFIX + 2) ~= PREFIX .. 'w:' then redis.pcall('HDEL', META, 'generation') end
  hint('foreign:' .. key)
end

local function is_foreign(reply, key)
  if type(reply) ~= 'table' or not reply.err or not string.find(reply.err, 'WRONGTYPE', 1, true) then return false end
  remove_foreign(key)
  return true
end

-- Runs a command that changes a table, once more where something else stood under its key.
local function change(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' then
    is_foreign(reply, key)
    reply = redis.call(command, key, ...)
  end
  return reply
end

local function zadd(key, score, member) return change('ZADD', key, score, member) end

-- Scores and members in one list, which may be empty.
local function zadd_all(key, list)
  if #list > 0 then change('ZADD', key, unpack(list)) end
end

local function zincrby(key, amount, member)
  local reply = redis.pcall('ZINCRBY', key, amount, member)
  if type(reply) == 'table' then
    is_foreign(reply, key)
    redis.call('ZINCRBY', key, amount, member)
  end
end

-- nil where it is not there.
local function zscore(key, member)
  local reply = redis.pcall('ZSCORE', key, member)
  if type(reply) == 'table' then
    is_foreign(reply, key)
    return nil
  end
  return reply or nil
end

-- How many were there.
local function zrem(key, ...)
  local reply = redis.pcall('ZREM', key, ...)
  if type(reply) == 'number' then return reply end
  is_foreign(reply, key)
  return 0
end

local function zrem_all(key, members)
  if #members > 0 then zrem(key, unpack(members)) end
end

local function zrange(key, first, last, ...)
  local reply = redis.pcall('ZRANGE', key, first, last, ...)
  if reply.err and is_foreign(reply, key) then return {} end
  return reply
end

-- A counter in meta that is no number begins anew.
local function increment(field, change)
  local reply = redis.pcall('HINCRBY', META, field, change)
  if type(reply) == 'number' then return reply end
  if string.find(reply.err, 'integer', 1, true) or string.find(reply.err, 'overflow', 1, true) then redis.call('HDEL', META, field) end
  return redis.call('HINCRBY', META, field, change)
end

-- Makes a field of meta that the first broker makes, also where another program wrote over it.
local function keep_or_set(field, value)
  local found = redis.call('HGET', META, field)
  if not found or #found > 1024 or not string.find(found, '^[\32-\126]+$') then redis.call('HSET', META, field, value) end
end

