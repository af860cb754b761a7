-- Begins every script. Times are epoch seconds as text, with microseconds: as numbers they would be
-- shortened when they are written.
local function time(given)
  if given ~= '' then return given end
  local now = redis.call('TIME')
  return string.format('%d.%06d', now[1], now[2])
end

-- Whether a record is this request's, and its run is under way in that owner's hands.
local function runs(record, id, owner, run)
  local found = redis.call('HMGET', record, 'id', 'owner', 'run', 'ended_at')
  return found[1] == id and found[2] == owner and found[3] == run and found[4] == ''
end

-- Whether what ended then is too old to be there.
local function old(ended_at, now, retention)
  return ended_at ~= '' and tonumber(ended_at) <= tonumber(now) - tonumber(retention)
end

-- A member of the owners that is none: when their set was begun. While this one does not count as
-- dead, an owner that the set lacks may have been lost with an earlier one, and come back.
local begun = 'begun'

-- Whether a key holds the owners: nothing else has its name, and what another program put there or
-- deleted is lost.
local function holds_owners(key) return redis.call('TYPE', key).ok == 'zset' end

local function expire(keys, milliseconds)
  for _, key in ipairs(keys) do redis.call('PEXPIRE', key, milliseconds) end
end

local function larger(one, other)
  return tonumber(other) > tonumber(one) and other or one
end
