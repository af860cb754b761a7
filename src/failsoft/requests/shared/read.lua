-- The record, and frames of one of its runs from an id on, end to end; some, and where to go on.
-- KEYS: record, frames.
-- ARGV: now, retention, id, run (empty: no frames), first id, frames and bytes to give at the most.
local now, retention, id, run, first, most, most_bytes = unpack(ARGV)
local known, ended_at = unpack(redis.call('HMGET', KEYS[1], 'id', 'ended_at'))
if known ~= id or old(ended_at, time(now), retention) then return {{}, '', '', ''} end
local frames, size, last, onward = {}, 0, '', ''
if run ~= '' then
  local entries = redis.call('XRANGE', KEYS[2], first .. '-0', '+', 'COUNT', most + 1)
  for at, entry in ipairs(entries) do
    local number, of = string.match(entry[1], '^(%d+)-(%d+)$')
    if at > tonumber(most) or size > tonumber(most_bytes) then
      onward = number
      break
    end
    if of == run then
      frames[#frames + 1] = entry[2][2]
      size = size + #entry[2][2]
      last = number
    end
  end
end
return {redis.call('HGETALL', KEYS[1]), table.concat(frames), last, onward}
