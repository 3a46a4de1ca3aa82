-- room: the first write of a script that works also when the server's memory is full (maxmemory, noeviction). A script
-- that has written nothing yet is refused what may enlarge memory; one that has is not. This removes what is never there.
redis.call('HDEL', META, '')

