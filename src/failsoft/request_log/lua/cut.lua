-- Ends what an owner runs in its stead: the owner is dead, or leaves, or its caller has left.
-- KEYS: record, frames, stories.
-- ARGV: now, milliseconds to live, owner, opener (empty: whichever), state, ids to leave free.
local now, ttl, owner, opener, state, unseen = unpack(ARGV)
local found = redis.call('HMGET', KEYS[1], 'owner', 'ended_at', 'opener', 'last_id')
if found[1] ~= owner or found[2] ~= '' or (opener ~= '' and found[3] ~= opener) then return 0 end
now = time(now)
redis.call('HSET', KEYS[1], 'state', state, 'retryable', 1, 'updated_at', now, 'ended_at', now,
  'retry_at', '', 'last_id', found[4] + unseen)
expire(KEYS, ttl)
return 1
