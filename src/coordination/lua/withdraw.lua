-- withdraw: takes back a placement that was not delivered.
-- KEYS 4 the owner's own:, 5 the entry.  ARGV 5 owner, 6 epoch, 7 id
-- States: only placing is taken back: it is deleted where it was never made, else pending again, or asleep; all others stay.
-- Replies: 1, or 0 when it is no longer placing under (owner, epoch)
-- Never half-done: as in release.
-- Cost: about 25 µs.
-- Full memory: works.
local own, owner, epoch, id = KEYS[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]

local entry = read_entry(KEYS[5], NEAR)
if not entry or not is_owned_by(entry, padded(owner)) or epoch_of(entry) ~= epoch or state_of(entry) ~= 'p' then return 0 end
-- It waited before, whatever it says of itself.
local waited = string.sub(entry, 2, 2) ~= '0' or attempt_of(entry) > 1
if string.sub(entry, 2, 2) == '3' and not is_kept(entry) and not is_recoverable(entry) then
  redis.call('SETRANGE', KEYS[5], 0, asleep_head(entry, '1', math.max(attempt_of(entry) - 1, 0), deaths_of(entry), returns_of(entry)))
elseif is_kept(entry) and not is_recoverable(entry) then
  local left = give_up(owner, id, KEYS[5], entry, FAILED) ~= 'deleted'
  -- It was not tried: it need not rest.
  if left then
    redis.call('SETRANGE', KEYS[5], 55, string.format('%06.0f', math.max(attempt_of(entry) - 1, 0)))
    local class, cluster = names_of(KEYS[5], entry)
    await_timer(id, entry, cluster, class, 0)
  end
else
  give_up(owner, id, KEYS[5], entry, waited and RECOVERED or FAILED, waited)
end
zrem(own, id)
add_load(owner, -load_of(entry))
let_wait()
return 1
