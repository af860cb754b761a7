-- Goes before breaker.lua and hold.lua. KEYS[1] is a hash that keeps one breaker or one hold;
-- ARGV: the channel of changes, the operation, its arguments. Times are milliseconds, and those
-- that are kept are of this server's clock: it alone is asked what time it is.
local channel, operation = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local has = {}
do
  local kept = redis.pcall('HGETALL', KEYS[1])
  if kept.err then
    -- Another program's, under a name of ours: it would be refused for ever, with all that is sent
    -- along. What was kept here is lost, as with a server that was started again empty.
    if redis.call('TYPE', KEYS[1]).ok == 'hash' then return kept end
    redis.call('DEL', KEYS[1])
    kept = {}
  end
  for i = 1, #kept, 2 do has[kept[i]] = kept[i + 1] end
end

local function argument(place) return tonumber(ARGV[2 + place]) end

local function number(name) return tonumber(has[name] or 0) end

local function set(name, value)
  has[name] = tostring(value)
  redis.call('HSET', KEYS[1], name, value)
end

local function forget(name)
  has[name] = nil
  redis.call('HDEL', KEYS[1], name)
end

-- Every field whose name begins so.
local function fields(prefix)
  local found = {}
  for name in pairs(has) do
    if string.sub(name, 1, #prefix) == prefix then found[#found + 1] = name end
  end
  return found
end

-- A clock that was set back, or a copy's that is behind, would keep everything in force for as long.
local function set_back(by)
  for _, name in ipairs({'until', 'ramp_from', 'stirred', 'counting', 'row_began', 'several_at'}) do
    if number(name) > 0 then set(name, number(name) - by) end
  end
  for _, name in ipairs(fields('lease:')) do set(name, number(name) - by) end
  for _, prefix in ipairs({'older:', 'process:'}) do
    for _, name in ipairs(fields(prefix)) do
      local counted, at = string.match(has[name], '^(%d+):(-?%d+)$')
      set(name, counted .. ':' .. at - by)
    end
  end
  for _, name in ipairs(fields('window:')) do forget(name) end
  set('at', now)
end
if number('at') > now then set_back(number('at') - now) end

-- How many leases live, and when the first of them ends; those that have ended are taken away.
local function leases()
  local live, soonest = 0, 0
  for _, name in ipairs(fields('lease:')) do
    local ends = number(name)
    if ends <= now then
      forget(name)
    else
      live = live + 1
      if soonest == 0 or ends < soonest then soonest = ends end
    end
  end
  return live, soonest
end

-- A probe brings its lease back; whether that still lived.
local function returned(lease)
  local name = 'lease:' .. lease
  if number(name) <= now then return false end
  forget(name)
  return true
end

-- Whether this was told before: a process tells again, under the same number, what it had no reply to.
local function repeated(process, sequence)
  local name = 'process:' .. process
  if sequence <= tonumber(string.match(has[name] or '0', '^%d+')) then return true end
  set(name, sequence .. ':' .. now)
  for _, other in ipairs(fields('process:')) do
    if now - tonumber(string.match(has[other], '%d+$')) > 600000 then forget(other) end
  end
  return false
end

-- Whoever knows a later generation than is kept here is right: this server was started again empty,
-- or is a copy that lags. What it kept is void, and goes on under the generation that is known.
local function gone_back(known)
  if known <= number('generation') then return false end
  local born = number('born')
  redis.call('DEL', KEYS[1])
  has = {}
  if born > 0 then set('born', born) end
  set('generation', known)
  return true
end

-- Whether a process knows what was lost here: it saw this key under another birth, or further on.
-- What was restored or released by hand since then is no loss.
local function lost(known, born)
  local behind = gone_back(known)
  return behind or (known > number('restored') and born ~= number('born'))
end

-- A generation is a time, so that it goes on growing where everything was lost.
local function next_generation()
  set('generation', math.max(number('generation') + 1, now))
  for _, prefix in ipairs({'lease:', 'window:', 'older:', 'row', 'trial', 'counting', 'several_at'}) do
    for _, name in ipairs(fields(prefix)) do forget(name) end
  end
end

-- Nothing stays for ever, but what was done by hand stays long.
local function expire()
  if next(has) ~= nil then
    if not has.born then set('born', now) end
    if now - number('at') >= 1000 then set('at', now) end
    local keep = has.isolated == '1' and 2592000000 or 3600000
    redis.call('PEXPIRE', KEYS[1], keep + math.max(0, number('until') - now))
  end
end
