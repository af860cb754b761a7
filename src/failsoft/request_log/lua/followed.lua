-- Whether a reader in another process follows a request. KEYS: followers. ARGV: owner.
for _, follower in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], time(''), '+inf')) do
  if follower ~= ARGV[1] then return 1 end
end
return 0
