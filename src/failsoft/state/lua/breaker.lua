-- One circuit breaker. The rules by which it opens are not here: whoever counted hears the counts,
-- and asks for `open` by the generation that it judged.
local changed, granted = false, nil
local state = has.state or 'closed'

local function move(to, reason)
  next_generation()
  state, changed = to, true
  set('state', to)
  set('reason', reason)
end

local function open(milliseconds, reason, cause)
  set('until', now + milliseconds)
  set('cause', cause)
  move('open', reason)
end

-- What was lost goes on under the generation that others know.
local function known(generation)
  if not has.generation then set('generation', generation) end
  return generation == number('generation')
end

local operations = {}

-- known, alone, state, remaining, isolated, reopened, cause: a process tells what it has, and reads.
function operations.sync()
  local lost = not has.generation and argument(1) > 0
  if lost then set('generation', argument(1)) end
  if not (lost or ARGV[4] == '1') then return end
  if ARGV[7] == '1' and has.isolated ~= '1' then
    set('isolated', 1)
    open(0, 'isolated', '')
  elseif ARGV[5] ~= 'closed' and has.isolated ~= '1' then
    local longer = now + argument(4) > number('until') and argument(4) > 0
    if lost or longer then
      set('reopened', ARGV[8])
      open(argument(4), 'merged', ARGV[9])
    end
  end
end

-- process, sequence, generation, calls, failures, broke, weight, older, width, buckets
function operations.record()
  local seen = 'process:' .. ARGV[3]
  local last = tonumber(string.match(has[seen] or '', '^%d+') or 0)
  if argument(2) <= last then return end
  set(seen, ARGV[4] .. ':' .. now)
  for _, name in ipairs(fields('process:')) do
    if now - tonumber(string.match(has[name], '%d+$')) > 600000 then forget(name) end
  end
  if not known(argument(3)) or state ~= 'closed' then return end
  if not has.counting then set('counting', now) end
  local epoch = math.floor(now / argument(9))
  local window = 'window:' .. (epoch % argument(10))
  local e, calls, failures = string.match(has[window] or '', '^(%d+):(%d+):(%d+)$')
  if tonumber(e or -1) ~= epoch then calls, failures = 0, 0 end
  set(window, epoch .. ':' .. (calls + argument(4)) .. ':' .. (failures + argument(5)))
  if ARGV[8] == '1' then set('row', 0) end
  if argument(7) > 0 then
    if number('row') == 0 then set('row_began', now) end
    set('row', number('row') + argument(7))
    set('older:' .. ARGV[3], ARGV[10])
  end
end

-- generation, milliseconds, reason, cause
function operations.open()
  if known(argument(1)) and state == 'closed' then
    set('reopened', 0)
    open(argument(2), ARGV[5], ARGV[6])
  end
end

-- generation, id, milliseconds, probes
function operations.lease()
  if not has.generation and argument(1) > 0 then
    known(argument(1))
    state, changed = 'open', true
    set('state', 'open')
  end
  if state == 'closed' or has.isolated == '1' or now < number('until') then return end
  set('probes', ARGV[6])
  if leases() >= argument(4) then return end
  granted = ARGV[4]
  set('lease:' .. granted, now + argument(3))
  state, changed = 'half_open', true
  set('state', state)
  set('reason', 'open time over')
end

-- id, outcome, threshold, milliseconds, cause
function operations.probe()
  local lease = 'lease:' .. ARGV[3]
  if number(lease) <= now then return end
  forget(lease)
  changed = true
  if ARGV[4] == 'failure' then
    set('reopened', number('reopened') + 1)
    open(argument(4), 'probe failed', ARGV[7])
  elseif ARGV[4] == 'success' then
    set('passed', number('passed') + 1)
    if number('passed') >= argument(3) then
      set('reopened', 0)
      set('closed_at', now)
      move('closed', 'probes succeeded')
    end
  end
end

-- reason
function operations.isolate()
  set('isolated', 1)
  open(0, ARGV[3], '')
end

-- reason
function operations.restore()
  for _, name in ipairs({'isolated', 'reopened', 'closed_at', 'cause'}) do forget(name) end
  move('closed', ARGV[3])
end

function operations.read() end

operations[operation]()
expire()

local live, soonest = leases()
local told = {
  key = KEYS[1], now = now, generation = number('generation'), state = state,
  ['until'] = number('until'), closed_at = number('closed_at'), reopened = number('reopened'),
  isolated = has.isolated == '1', reason = has.reason or '', cause = has.cause or '',
  free_at = live >= math.max(1, number('probes')) and soonest or 0,
}
if changed then redis.call('PUBLISH', channel, cjson.encode(told)) end
told.granted = granted
if operation == 'record' or operation == 'read' then
  local calls, failures, older = 0, 0, 0
  local width, buckets = argument(operation == 'record' and 9 or 1), argument(operation == 'record' and 10 or 2)
  for _, name in ipairs(fields('window:')) do
    local e, c, f = string.match(has[name], '^(%d+):(%d+):(%d+)$')
    if tonumber(e) > math.floor(now / width) - buckets then calls, failures = calls + c, failures + f end
  end
  for _, name in ipairs(fields('older:')) do older = older + number(name) end
  told.counts = {
    calls = calls, failures = failures, in_row = number('row'), older = older,
    row_for = has.row_began and now - number('row_began') or 0,
    counting_for = has.counting and now - number('counting') or 0,
  }
end
return cjson.encode(told)
