-- complain: tells a broker that another cannot use it.
-- ARGV 5 about whom, 6 who says so, 7 why: 'unreachable', 'refused' or 'silent'
-- Replies: 1
-- Cost: about 3 µs and a message to every broker.
-- Full memory: works: nothing is written.
hint('unusable:' .. ARGV[5] .. ':' .. ARGV[6] .. ':' .. ARGV[7])
return 1
