-- Goes before breaker.lua and hold.lua. KEYS[1] is a hash that keeps one breaker or one hold;
-- ARGV: the channel of changes, the operation, its arguments. Times are milliseconds, and those
-- that are kept are of this server's clock: it alone is asked what time it is.
local channel, operation = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local has = {}
do
  local kept = redis.call('HGETALL', KEYS[1])
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

-- A generation is a time, so that it goes on growing where everything was lost.
local function next_generation()
  set('generation', math.max(number('generation') + 1, now))
  for _, prefix in ipairs({'lease:', 'window:', 'older:', 'row', 'passed', 'counting'}) do
    for _, name in ipairs(fields(prefix)) do forget(name) end
  end
end

-- Nothing stays for ever, but what was done by hand stays long.
local function expire()
  if next(has) ~= nil then
    local keep = has.isolated == '1' and 2592000000 or 3600000
    redis.call('PEXPIRE', KEYS[1], keep + math.max(0, number('until') - now))
  end
end
