-- entry: how a worker's entry is written: one string, the head of which has a fixed form, so that a script reads and changes it
-- without touching the attributes. entry.rs reads and writes the same.
--    1 state: p placing, a active, w pending, q quarantined, s asleep
--    2 cause: 0 none of its activations has ended well, 1 recovered, 3 woken
--    3 flags, their sum: 1 recoverable, 2 kept, 4 it has stored data    4 epoch, 16 digits    20 load, 10    30 created, ms, 13    43 activated, or asleep since, ms, 13    56 attempt, 6
--   62 deaths, 4    66 returns, 4    70 a space    71 owner, 32 letters, spaces where there is none
--  103 class:cluster:attributes
local HEAD, DIGITS = 102, 70
-- As far as the names reach mostly, counted from 0.
local NEAR = 511
local NOBODY = string.rep(' ', 32)

local function entry_key(id) return PREFIX .. 'w:' .. id end

local function is_entry(text)
  if #text <= HEAD then return false end
  local _, digits = string.find(text, '^[apqsw][013][0-7]%d+ ')
  return digits == DIGITS
end

-- The entry under a key as far as this offset (-1: all of it); nil without one. What another program wrote there is removed.
local function read_entry(key, last)
  local text = redis.pcall('GETRANGE', key, 0, last)
  if text == '' then return nil end
  if type(text) == 'table' then
    if not is_foreign(text, key) then error(text.err) end
    return nil
  end
  if is_entry(text) then return text end
  remove_foreign(key)
end

local function state_of(entry) return string.sub(entry, 1, 1) end
-- nil where it is no number that is exact.
local function epoch_of(entry) return whole(string.sub(entry, 4, 19)) end
local function load_of(entry) return tonumber(string.sub(entry, 20, 29)) end
local function created_of(entry) return tonumber(string.sub(entry, 30, 42)) end
local function activated_of(entry) return tonumber(string.sub(entry, 43, 55)) end
local function attempt_of(entry) return tonumber(string.sub(entry, 56, 61)) end
local function deaths_of(entry) return tonumber(string.sub(entry, 62, 65)) end
local function returns_of(entry) return tonumber(string.sub(entry, 66, 69)) end
local function owner_of(entry) return string.match(string.sub(entry, 71, HEAD), '^%S*') end

local function flags_of(entry) return tonumber(string.sub(entry, 3, 3)) end
local function is_recoverable(entry) return flags_of(entry) % 2 == 1 end
-- Only its own end deletes it, no death and no departure of its broker.
local function is_kept(entry) return flags_of(entry) % 4 >= 2 end
local function has_data(entry) return flags_of(entry) >= 4 end

-- The worker's data stands under a key of its own (data.lua).
local function data_key(id) return PREFIX .. 'd:' .. id end

-- Nothing of the worker is left.
local function delete_worker(id, key, entry)
  redis.call('DEL', key)
  if has_data(entry) then redis.call('DEL', data_key(id)) end
end

-- The stored data of an entry with that flag: its text, or false where it is missing.
local function stored_data(id)
  local data = redis.pcall('GET', data_key(id))
  return type(data) == 'string' and data
end

-- An owner as entries have it.
local function padded(owner) return owner .. string.rep(' ', 32 - #owner) end
local function is_owned_by(entry, owner) return string.sub(entry, 71, HEAD) == owner end

-- Class, cluster, and where the attributes begin; nil where they cannot be read.
local function names_of(key, entry)
  local class, cluster, attributes = string.match(entry, '^([^:]+):([^:]+):()', HEAD + 1)
  if not class and #entry == NEAR + 1 then
    class, cluster, attributes = string.match(redis.call('GET', key), '^([^:]+):([^:]+):()', HEAD + 1)
  end
  if class and #class <= 65536 and #cluster <= 65536 then return class, cluster, attributes end
end

