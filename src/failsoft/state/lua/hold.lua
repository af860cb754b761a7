-- The bench or the park of one scope. It is extended, never shortened.
local changed, granted = false, nil

local function hold(kind, milliseconds, probe_due, parks, ramp, cause)
  if now + milliseconds <= number('until') then return end
  next_generation()
  changed = true
  set('kind', kind)
  set('until', now + milliseconds)
  set('probe_due', probe_due)
  set('parks', math.max(number('parks'), parks))
  set('ramp_from', now + milliseconds)
  set('ramp', ramp)
  set('cause', cause)
end

local operations = {}

-- known, alone, kind, remaining, probe_due, parks, ramp, cause: tells what a process has, and reads.
function operations.sync()
  local lost = not has.generation and argument(1) > 0
  if lost then set('generation', argument(1)) end
  if (lost or ARGV[4] == '1') and (argument(4) > 0 or ARGV[7] == '1') then
    hold(ARGV[5], math.max(1, argument(4)), ARGV[7], argument(6), ARGV[9], ARGV[10])
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
  local lease = 'lease:' .. ARGV[3]
  if number(lease) <= now then return end
  forget(lease)
  changed = true
  if ARGV[4] == '1' then
    next_generation()
    set('probe_due', 0)
    set('parks', 0)
    set('ramp_from', now)
    set('ramp', ARGV[5])
  end
end

function operations.release()
  next_generation()
  changed = true
  for _, name in ipairs({'until', 'probe_due', 'parks', 'ramp_from', 'ramp', 'cause'}) do forget(name) end
end

function operations.read() end

operations[operation]()
expire()

local live, soonest = leases()
local told = {
  key = KEYS[1], now = now, generation = number('generation'), kind = has.kind or 'bench',
  ['until'] = number('until'), probe_due = has.probe_due == '1', parks = number('parks'),
  ramp_from = number('ramp_from'), ramp = number('ramp'), cause = has.cause or '',
  free_at = live > 0 and soonest or 0,
}
if changed then redis.call('PUBLISH', channel, cjson.encode(told)) end
told.granted = granted
return cjson.encode(told)
