-- Keeps what a run gave out, and how far it is; 1 where it is still this owner's to give.
-- KEYS: record, frames.
-- ARGV: now, milliseconds to live, id, owner, run, attempt, retry_at, shown, last id, then ids and frames.
local now, ttl, id, owner, run, attempt, retry_at, shown, last_id = unpack(ARGV, 1, 9)
if not runs(KEYS[1], id, owner, run) then return 0 end
local state, shown_run, known, kept = unpack(redis.call('HMGET', KEYS[1],
  'state', 'shown_run', 'last_id', 'kept'))
for at = 10, #ARGV, 2 do
  -- What is sent again, because a reply was lost, is there already.
  if tonumber(ARGV[at]) > tonumber(kept) then
    kept = ARGV[at]
    redis.call('XADD', KEYS[2], kept .. '-' .. run, 'f', ARGV[at + 1])
  end
end
redis.call('HSET', KEYS[1], 'kept', kept, 'last_id', larger(known, last_id), 'updated_at', time(now),
  'state', attempt == '0' and state or 'running', 'attempt', attempt, 'retry_at', retry_at,
  'shown_run', shown == '1' and run or shown_run)
expire(KEYS, ttl)
return 1
