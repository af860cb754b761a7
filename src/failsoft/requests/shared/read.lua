-- The record, and the frames of one of its runs from an id on, end to end.
-- KEYS: record, frames.
-- ARGV: now, retention, id, run (empty: no frames), first id.
local now, retention, id, run, first = unpack(ARGV)
local known, ended_at = unpack(redis.call('HMGET', KEYS[1], 'id', 'ended_at'))
if known ~= id or old(ended_at, time(now), retention) then return {{}, '', ''} end
local frames, last = {}, ''
if run ~= '' then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], first .. '-0', '+')) do
    local number, of = string.match(entry[1], '^(%d+)-(%d+)$')
    if of == run then
      frames[#frames + 1] = entry[2][2]
      last = number
    end
  end
end
return {redis.call('HGETALL', KEYS[1]), table.concat(frames), last}
