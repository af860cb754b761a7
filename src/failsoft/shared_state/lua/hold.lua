-- The bench or the park of one scope. It is extended, never shortened.
local changed, granted = false, nil

-- A probe that is owed stays owed, also where what is longer owes none.
local function hold(kind, milliseconds, probe_due, parks, ramp, cause)
  local ends, owed = now + milliseconds, has.probe_due == '1'
  if ends <= number('until') and (owed or probe_due ~= '1') then return end
  next_generation()
  changed = true
  ends = math.max(ends, number('until'))
  set('kind', kind)
  set('until', ends)
  set('probe_due', owed and '1' or probe_due)
  set('parks', math.max(number('parks'), parks))
  set('ramp_from', ends)
  set('ramp', ramp)
  set('cause', cause)
end

local operations = {}

-- known, born, alone, kind, remaining, probe_due, parks, ramp, cause: tells what a process has, and
-- reads; see `sync` of a breaker.
function operations.sync()
  local believed = lost(argument(1), argument(2))
  local owes = ARGV[8] == '1' and has.probe_due ~= '1'
  if (believed or ARGV[5] == '1') and (argument(5) > 0 or owes) then
    hold(ARGV[6], math.max(1, argument(5)), ARGV[8], argument(7), ARGV[10], ARGV[11])
  end
end

-- kind, milliseconds, probe_due, parks, ramp, cause
function operations.hold()
  hold(ARGV[3], argument(2), ARGV[5], argument(4), ARGV[7], ARGV[8])
end

-- id, milliseconds
function operations.lease()
  if has.probe_due ~= '1' or now < number('until') or leases() > 0 then return end
  granted, changed = ARGV[3], true
  set('lease:' .. granted, now + argument(2))
end

-- id, well, ramp
function operations.probe()
  if not returned(ARGV[3]) then return end
  changed = true
  if ARGV[4] == '1' then
    next_generation()
    set('probe_due', 0)
    set('parks', 0)
    set('ramp_from', now)
    set('ramp', ARGV[5])
  end
end

-- process, sequence, generation; see `isolate` of a breaker.
function operations.release()
  gone_back(argument(3))
  if repeated(ARGV[3], argument(2)) then return end
  next_generation()
  changed = true
  for _, name in ipairs({'until', 'probe_due', 'parks', 'ramp_from', 'ramp', 'cause'}) do forget(name) end
  set('restored', number('generation'))
end

operations[operation]()
expire()

local live, soonest = leases()
local told = {
  key = KEYS[1], now = now, born = number('born'), generation = number('generation'), kind = has.kind or 'bench',
  ['until'] = number('until'), probe_due = has.probe_due == '1', parks = number('parks'),
  ramp_from = number('ramp_from'), ramp = number('ramp'), cause = has.cause or '',
  free_at = live > 0 and soonest or 0,
}
if changed then redis.call('PUBLISH', channel, cjson.encode(told)) end
told.granted = granted
return cjson.encode(told)
