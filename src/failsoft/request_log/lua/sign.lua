-- A sign of life of an owner, for all to see; tells who lives and who is dead.
-- KEYS: owners. ARGV: owner, seconds without a sign, milliseconds to live, then who is buried.
local now = tonumber(time(''))
if not holds_owners(KEYS[1]) then
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], now, begun)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
for at = 4, #ARGV do
  local seen = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if seen and tonumber(seen) < now - ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[at]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local since = string.format('%.6f', now - ARGV[2])
return {redis.call('ZRANGEBYSCORE', KEYS[1], since, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. since)}
