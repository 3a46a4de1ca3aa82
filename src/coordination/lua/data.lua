-- data: how the data of a worker is written, one text beside its entry: epoch of its writer, 16 digits; revision, 16; version of
-- its class, 10; the time of its next timer in ms, 13 (0: none); bytes of its timers, 7; a space; its timers, JSON; its data, JSON, or
-- nothing. stored.rs reads and writes the same.
local DATA_HEAD = 63

-- The revision that this epoch wrote last; nil where another one wrote, or nothing stands there.
local function revision_by(key, epoch)
  local head = redis.pcall('GETRANGE', key, 0, DATA_HEAD - 1)
  if type(head) ~= 'string' then
    if not is_foreign(head, key) then error(head.err) end
    return nil
  end
  return whole(string.sub(head, 1, 16)) == epoch and whole(string.sub(head, 17, 32)) or nil
end

