-- One circuit breaker. The rules by which it opens are not here: whoever counted hears the counts,
-- and asks for `open` by the generation that it judged.
local changed, granted, failed_on_trial = false, nil, false
local state = has.state or 'closed'

local function move(to, reason)
  next_generation()
  state, changed = to, true
  set('state', to)
  set('reason', reason)
end

-- `one_caller`: in every process the failures that open it were of one caller. Who that is stays
-- there; any other may probe it at once.
local function open(milliseconds, reason, cause, one_caller)
  set('until', now + milliseconds)
  set('one_caller', one_caller and 1 or 0)
  set('cause', cause)
  move('open', reason)
end

local function isolate(reason)
  set('isolated', 1)
  open(0, reason, '', false)
end

-- Whether that generation is still the one; see `gone_back`.
local function known(generation)
  if gone_back(generation) then state = 'closed' end
  return generation == number('generation')
end

-- Calls that began before a process's last failure and are undecided. They are decided, or are
-- nobody's any more, when half a minute is over.
local function undecided()
  local sum = 0
  for _, name in ipairs(fields('older:')) do
    local calls, since = string.match(has[name], '^(%d+):(%d+)$')
    if now - tonumber(since) < 30000 then sum = sum + calls end
  end
  return sum
end

-- Processes that counted here within the last minute.
local function processes()
  local sum = 0
  for _, name in ipairs(fields('process:')) do
    if now - tonumber(string.match(has[name], '%d+$')) <= 60000 then sum = sum + 1 end
  end
  return sum
end

local operations = {}

-- known, born, alone, state, remaining, isolated, cause: a process tells what it has, and
-- reads. It is believed where it knows what was lost, or has opened alone.
function operations.sync()
  local believed = lost(argument(1), argument(2))
  state = has.state or 'closed'
  if ARGV[8] == '1' then
    if believed and has.isolated ~= '1' then isolate('isolated') end
  elseif (believed or ARGV[5] == '1') and ARGV[6] ~= 'closed' and has.isolated ~= '1' then
    local longer = argument(5) > 0 and now + argument(5) > number('until')
    if longer or state == 'closed' then
      open(argument(5), 'merged', ARGV[9], false)
    end
  end
end

-- process, sequence, generation, calls, failures, broke, weight, older, one_caller, width, buckets,
-- before: so many of the calls had begun to answer before the first failed; row_calls: so many
-- failures are of the weight
function operations.record()
  local current = known(argument(3))
  if repeated(ARGV[3], argument(2)) or not current or state ~= 'closed' then return end
  if not has.counting then set('counting', now) end
  -- After a calm all are told of a failure: what went well elsewhere is to be told at once.
  if argument(5) > 0 and now - number('stirred') >= 1000 then
    set('stirred', now)
    changed = true
  end
  if argument(5) > 0 and ARGV[11] == '0' then set('several_at', now) end
  if number('trial') > 0 then
    failed_on_trial = argument(5) > 0 and number('trial') > argument(12)
    if not failed_on_trial then set('trial', math.max(0, number('trial') - argument(4))) end
  end
  local epoch = math.floor(now / argument(10))
  local window = 'window:' .. (epoch % argument(11))
  local e, calls, failures = string.match(has[window] or '', '^(%d+):(%d+):(%d+)$')
  if tonumber(e or -1) ~= epoch then calls, failures = 0, 0 end
  set(window, epoch .. ':' .. (calls + argument(4)) .. ':' .. (failures + argument(5)))
  if ARGV[8] == '1' then
    set('row', 0)
    set('row_calls', 0)
  end
  local older = 'older:' .. ARGV[3]
  if argument(7) > 0 then
    if number('row') == 0 then set('row_began', now) end
    set('row', number('row') + argument(7))
    set('row_calls', number('row_calls') + argument(13))
    set(older, ARGV[10] .. ':' .. now)
  elseif has[older] then
    local left, since = string.match(has[older], '^(%d+):(%d+)$')
    set(older, math.max(0, left - argument(4)) .. ':' .. since)
  end
end

-- generation, milliseconds, reason, cause, window: the milliseconds in which the failures were
-- counted for which it opens, 0 where it opens for something else
function operations.open()
  if known(argument(1)) and state == 'closed' then
    local one_caller = argument(5) > 0 and now - number('several_at') > argument(5)
    open(argument(2), ARGV[5], ARGV[6], one_caller)
  end
end

-- generation, id, milliseconds, probes
function operations.lease()
  if argument(1) > number('generation') then
    known(argument(1))
    state, changed = 'open', true
    set('state', state)
  end
  if state == 'closed' or has.isolated == '1' then return end
  if now < number('until') and has.one_caller ~= '1' then return end
  set('probes', ARGV[6])
  if leases() >= argument(4) then return end
  granted = ARGV[4]
  set('lease:' .. granted, now + argument(3))
  state, changed = 'half_open', true
  set('state', state)
  set('reason', 'probed')
end

-- id, outcome, threshold, milliseconds, cause, one_caller
function operations.probe()
  if not returned(ARGV[3]) then return end
  changed = true
  if ARGV[4] == 'failure' then
    open(argument(4), 'probe failed', ARGV[7], has.one_caller == '1' and ARGV[8] == '1')
  elseif ARGV[4] == 'success' then
    move('closed', 'probe succeeded: on trial')
    set('trial', argument(3) - 1)
  end
end

-- process, sequence, generation, reason: the generation that it begins is later than the one that
-- was seen where it was done.
function operations.isolate()
  known(argument(3))
  if not repeated(ARGV[3], argument(2)) then isolate(ARGV[6]) end
end

-- process, sequence, generation, reason
function operations.restore()
  known(argument(3))
  if repeated(ARGV[3], argument(2)) then return end
  for _, name in ipairs({'isolated', 'until', 'cause'}) do forget(name) end
  move('closed', ARGV[6])
  set('restored', number('generation'))
end

operations[operation]()
expire()

local live, soonest = leases()
local told = {
  key = KEYS[1], now = now, born = number('born'), generation = number('generation'), state = state,
  ['until'] = number('until'),
  isolated = has.isolated == '1', reason = has.reason or '', cause = has.cause or '',
  one_caller = state ~= 'closed' and has.one_caller == '1', on_trial = number('trial') > 0,
  stirred = number('stirred'), free_at = live >= math.max(1, number('probes')) and soonest or 0,
}
if changed then redis.call('PUBLISH', channel, cjson.encode(told)) end
told.granted = granted
if operation == 'record' then
  local calls, failures, oldest = 0, 0, math.floor(now / argument(10)) - argument(11)
  for _, name in ipairs(fields('window:')) do
    local e, c, f = string.match(has[name], '^(%d+):(%d+):(%d+)$')
    if tonumber(e) > oldest then calls, failures = calls + c, failures + f end
  end
  told.counts = {
    calls = calls, failures = failures, in_row = number('row'),
    row_calls = number('row_calls'), older = undecided(), processes = processes(),
    row_for = has.row_began and now - number('row_began') or 0,
    counting_for = has.counting and now - number('counting') or 0,
    on_trial = failed_on_trial,
  }
end
return cjson.encode(told)
