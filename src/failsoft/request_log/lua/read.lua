-- The record, and frames of one of its runs, end to end; some of them, and where to go on.
-- KEYS: record, frames.
-- ARGV: now, retention, id, run (empty: no frames), where to begin, bytes to look at.
local now, retention, id, run, begin, most = unpack(ARGV)
local known, ended_at = unpack(redis.call('HMGET', KEYS[1], 'id', 'ended_at'))
if known ~= id or old(ended_at, time(now), retention) then return {{}, '', '', ''} end
local frames, size, last = {}, 0, ''
while run ~= '' and begin ~= '' and size < tonumber(most) do
  local entries = redis.call('XRANGE', KEYS[2], begin, '+', 'COUNT', 64)
  begin = #entries == 64 and '(' .. entries[64][1] or ''
  for _, entry in ipairs(entries) do
    local number, of = string.match(entry[1], '^(%d+)-(%d+)$')
    size = size + #entry[2][2]
    if of == run then
      frames[#frames + 1] = entry[2][2]
      last = number
    end
  end
end
return {redis.call('HGETALL', KEYS[1]), table.concat(frames), last, run == '' and '' or begin}
