-- head: the head of an entry (entry.lua) when it gets an owner.

-- Of a new one that is placed.
local function first_head(recoverable, owner, epoch, load)
  return string.format('p0%s%016.0f%010.0f%013.0f%013.0f00000100000000 %s', recoverable, epoch, load, now, now, owner)
end

-- Of one as it was, for its next activation.
local function next_head(entry, state, owner, epoch, load)
  return string.format('%s%s%016.0f%010.0f%s%013.0f%06.0f%s %s', state, string.sub(entry, 2, 3), epoch, load,
    string.sub(entry, 30, 42), now, math.min(attempt_of(entry) + 1, 999999), string.sub(entry, 62, 69), owner)
end

