-- Says that a reader in that owner's process follows a request. KEYS: followers. ARGV: owner, milliseconds.
redis.call('ZADD', KEYS[1], time('') + ARGV[2] / 1000, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
