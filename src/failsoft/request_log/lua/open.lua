-- Enters a request, opens a further run of it, or tells what is known.
-- KEYS: record, frames, stories.
-- ARGV: now, retention, milliseconds to live, owner, id, scope, key, fingerprint, stream, route, locale.
local now, retention, ttl, owner, id, scope, key, fingerprint, stream, route, locale = unpack(ARGV)
now = time(now)
local known, ended_at, retryable, run, last_id = unpack(redis.call('HMGET', KEYS[1],
  'fingerprint', 'ended_at', 'retryable', 'run', 'last_id'))

local function opened(as)
  redis.call('HSET', KEYS[1], 'opener', id, 'owner', owner, 'stream', stream, 'route', route,
    'locale', locale, 'state', 'queued', 'updated_at', now, 'ended_at', '', 'attempt', 0,
    'retry_at', '', 'status', '', 'body', '', 'retryable', 0)
  expire(KEYS, ttl)
  return {as, redis.call('HGETALL', KEYS[1])}
end

if not known or old(ended_at, now, retention) then
  redis.call('DEL', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'id', id, 'scope', scope, 'key', key, 'fingerprint', fingerprint,
    'created_at', now, 'run', 1, 'first_id', 1, 'last_id', 0, 'shown_run', 0, 'kept', 0)
  return opened('new')
end
if known ~= fingerprint then return {'conflict', redis.call('HGETALL', KEYS[1])} end
if ended_at == '' or retryable == '0' then return {'known', redis.call('HGETALL', KEYS[1])} end
redis.call('HSET', KEYS[1], 'run', run + 1, 'first_id', last_id + 1)
return opened('again')
