-- Whether an owner lives. KEYS: owners. ARGV: owner, seconds without a sign.
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
return seen and tonumber(seen) >= time('') - ARGV[2] and 1 or 0
