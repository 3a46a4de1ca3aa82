-- head: the head of an entry (entry.lua) when it gets an owner.

-- Of a new one that is placed.
local function first_head(flags, owner, epoch, load)
  return string.format('p0%d%016.0f%010.0f%013.0f%013.0f00000100000000 %s', flags, epoch, load, now, now, owner)
end

-- Why it is activated now: for the first time as long as no activation has ended well, woken, or recovered.
local function next_cause(entry)
  local cause, state = string.sub(entry, 2, 2), state_of(entry)
  if cause == '0' then return '0' end
  -- One that waits since its timer was due was asleep.
  return (state == 's' or state == 'w' and cause == '3') and '3' or '1'
end

-- Of one as it was, for its next activation.
local function next_head(entry, state, owner, epoch, load)
  return string.format('%s%s%s%016.0f%010.0f%s%013.0f%06.0f%s %s', state, next_cause(entry), string.sub(entry, 3, 3), epoch, load,
    string.sub(entry, 30, 42), now, math.min(attempt_of(entry) + 1, 999999), string.sub(entry, 62, 69), owner)
end

