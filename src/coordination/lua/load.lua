-- load: sums of the loads of what an incarnation owns. Kept in load:<cluster> while it has a record, else in meta
-- ('left:<incarnation>', absent = 0), so that the sum is right again when it registers once more.
local function load_key(cluster) return PREFIX .. 'load:' .. cluster end

local function add_load(incarnation, change)
  if change == 0 then return end
  local cluster = cluster_of(incarnation)
  if cluster then
    zincrby(load_key(cluster), text(change), incarnation)
  elseif increment('left:' .. incarnation, text(change)) == 0 then
    redis.call('HDEL', META, 'left:' .. incarnation)
  end
end

-- Takes the sum out of load:<cluster>: what a record gives up when it goes.
local function take_load(incarnation, cluster)
  local sum = whole(redis.call('ZSCORE', load_key(cluster), incarnation)) or 0
  redis.call('ZREM', load_key(cluster), incarnation)
  return sum
end

