-- asleep: the head of an entry (entry.lua) that loses its owner until a message wakes it. Where the time of its activation was, it has
-- since when it is asleep.
local function asleep_head(entry, cause, attempt, deaths, returns)
  return string.format('s%s%s%010.0f%s%013.0f%06.0f%04.0f%04.0f %s', cause, string.sub(entry, 3, 19), 0, string.sub(entry, 30, 42), now,
    attempt, math.min(deaths, 9999), math.min(returns, 9999), NOBODY)
end

