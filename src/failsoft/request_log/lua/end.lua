-- Ends a run: 1 where this did it, 0 where it had ended or is another's, 2 where there is none.
-- KEYS: record, frames, stories.
-- ARGV: now, milliseconds to live, id, owner, run, attempt, shown, last id, state, retryable, status, body, story.
local now, ttl, id, owner, run, attempt, shown, last_id, state, retryable, status, body, story =
  unpack(ARGV)
if not runs(KEYS[1], id, owner, run) then
  return redis.call('HGET', KEYS[1], 'id') == id and 0 or 2
end
local shown_run, known, tried = unpack(redis.call('HMGET', KEYS[1], 'shown_run', 'last_id', 'attempt'))
now = time(now)
redis.call('HSET', KEYS[1], 'state', state, 'retryable', retryable, 'status', status, 'body', body,
  'updated_at', now, 'ended_at', now, 'retry_at', '', 'attempt', larger(tried, attempt),
  'last_id', larger(known, last_id), 'shown_run', shown == '1' and run or shown_run)
if story ~= '' then redis.call('HSET', KEYS[3], run, story) end
expire(KEYS, ttl)
return 1
