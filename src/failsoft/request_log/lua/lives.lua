-- Whether an owner lives, or may. KEYS: owners. ARGV: owner, seconds without a sign.
if not holds_owners(KEYS[1]) then return 1 end
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZSCORE', KEYS[1], begun)
return seen and tonumber(seen) >= time('') - ARGV[2] and 1 or 0
