"""The steps of the queue as Lua scripts: each is atomic over several keys.

Keys of one part of the queue (a shard; all have the same hash tag, so they are in one slot of a cluster):

    <prefix>:queue:webhooks:{N}:lanes         sorted set: lane -> when it is due, in milliseconds of the server's clock
    <prefix>:queue:webhooks:{N}:jobs:<lane>   list: the jobs of a lane, the oldest first
    <prefix>:queue:webhooks:{N}:held:<lane>   hash: `token` of the lane's holder, `attempt` of its first job
    <prefix>:queue:webhooks:{N}:pushed:<lane>:<producer>   the number of the last job that a process pushed to a lane
    <prefix>:queue:webhooks:{N}:failed        list: jobs that were given up, the newest last

A lane is in the sorted set as long as it has jobs. A node that takes it moves its date into the future by the length of
a lease, so the set has everything that is due: new lanes, retries, and lanes of nodes that died. Only the server's
clock counts; those of the nodes may differ.

The scripts that drain begin with PERSIST, which changes nothing. A server that is out of memory refuses a write that
needs memory, unless the script has written before; so draining goes on, and the server refuses only new jobs.
"""

from __future__ import annotations

from typing import Final

from sockudo.redis_client.base import Script

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function at(moment) return string.format('%.0f', moment) end
"""

# Carries a command out, unless its key holds something of another type, which another program has put there.
_TRY: Final = """
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err) end
  return false
end
"""

# Keys: lanes, jobs, held. Arguments: lane, token, lease.
_BEGIN: Final = """
local function begin()
  local job = redis.call('LINDEX', KEYS[2], 0)
  if not job then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('DEL', KEYS[3])
    return false
  end
  redis.call('HSET', KEYS[3], 'token', ARGV[2])
  redis.call('ZADD', KEYS[1], at(now + ARGV[3]), ARGV[1])
  return {redis.call('HINCRBY', KEYS[3], 'attempt', 1), job}
end
"""

PUSH: Final = Script(
    """
-- Keys: lanes, jobs, pushed. Arguments: lane, number of the first job, how long numbers are remembered (ms), jobs.
-- Jobs with numbers that were seen are skipped, so a push whose reply was lost can be sent again.
-- Returns whether the lane had no jobs before, and whether something that was no list of jobs had to make room. Without
-- jobs it changes nothing.
"""
    + _NOW
    + _TRY
    + """
local last = tonumber(try('GET', KEYS[3]) or '0') or 0
if #ARGV == 3 then return {0, 0} end
local first, removed = tonumber(ARGV[2]), 0
for i = 4, #ARGV do
  local number = first + i - 4
  if number > last then
    if not try('RPUSH', KEYS[2], ARGV[i]) then
      removed = redis.call('DEL', KEYS[2])
      redis.call('RPUSH', KEYS[2], ARGV[i])
    end
    last = number
  end
end
redis.call('SET', KEYS[3], at(last), 'PX', ARGV[3])
if redis.call('EXISTS', KEYS[2]) == 0 then return {0, removed} end
return {redis.call('ZADD', KEYS[1], 'NX', at(now), ARGV[1]), removed}
"""
)

LOOK: Final = Script(
    """
-- Keys: lanes. Arguments: how many. Returns lanes that are due, those that wait longest first.
"""
    + _NOW
    + """
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at(now), 'LIMIT', 0, ARGV[1])
"""
)

TAKE: Final = Script(
    """
-- Keys: lanes, jobs, held. Arguments: lane, token, lease (ms).
-- Returns the attempt and the first job, or nothing if another process was faster. If the jobs are not a list, the
-- lane is dropped; then it returns -1 and why.
"""
    + _NOW
    + _BEGIN
    + """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > now then return false end
local first, holder = redis.pcall('LINDEX', KEYS[2], 0), redis.pcall('HGET', KEYS[3], 'token')
if type(first) == 'table' and first.err then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {-1, first.err}
end
if type(holder) == 'table' and holder.err then redis.call('DEL', KEYS[3]) end
redis.call('PERSIST', KEYS[2])
return begin()
"""
)

FINISH: Final = Script(
    """
-- Keys: lanes, jobs, held, failed. Arguments: lane, token, lease (ms), how the job begins, failed job or '', how many.
-- Removes the job and takes the next one. Returns how many failed jobs had to make room (-1: their list is no list, so
-- the failed job is dropped), and perhaps the attempt and the next job; nothing where the lane is not held. May be
-- sent again: a job is removed once.
"""
    + _NOW
    + _TRY
    + _BEGIN
    + """
if try('HGET', KEYS[3], 'token') ~= ARGV[2] then return false end
redis.call('PERSIST', KEYS[2])
local job = try('LINDEX', KEYS[2], 0)
if not job or string.sub(job, 1, #ARGV[4]) ~= ARGV[4] then
  if not job then return {0} end
  return {0, tonumber(redis.call('HGET', KEYS[3], 'attempt')), job}
end
local over = 0
if ARGV[5] ~= '' then
  local size = try('RPUSH', KEYS[4], ARGV[5])
  over = size and math.max(0, size - ARGV[6]) or -1
  if over > 0 then redis.call('LTRIM', KEYS[4], over, -1) end
end
redis.call('LPOP', KEYS[2])
redis.call('HDEL', KEYS[3], 'attempt')
local following = begin()
if not following then return {over} end
return {over, following[1], following[2]}
"""
)

RELEASE: Final = Script(
    """
-- Keys: lanes, held. Arguments: lane, token, in how many milliseconds the lane is due. Returns whether it was held.
"""
    + _NOW
    + _TRY
    + """
if try('HGET', KEYS[2], 'token') ~= ARGV[2] then return 0 end
redis.call('PERSIST', KEYS[2])
redis.call('HDEL', KEYS[2], 'token')
redis.call('ZADD', KEYS[1], at(now + ARGV[3]), ARGV[1])
return 1
"""
)

RENEW: Final = Script(
    """
-- Keys: lanes, then held of each lane. Arguments: lease (ms), then lane and token of each.
-- Returns for each whether it is still held.
"""
    + _NOW
    + _TRY
    + """
local held = {}
redis.call('PERSIST', KEYS[1])
for i = 2, #KEYS do
  local lane, token = ARGV[2 * i - 2], ARGV[2 * i - 1]
  if try('HGET', KEYS[i], 'token') == token then
    redis.call('ZADD', KEYS[1], at(now + ARGV[1]), lane)
    held[i - 1] = 1
  else
    held[i - 1] = 0
  end
end
return held
"""
)

STATES: Final = Script(
    """
-- Keys: jobs of each lane. Arguments: how many bytes. Returns for each how many jobs it has and how the first begins.
"""
    + _TRY
    + """
local states = {}
for i = 1, #KEYS do
  local job = try('LINDEX', KEYS[i], 0) or ''
  states[2 * i - 1] = try('LLEN', KEYS[i]) or 0
  states[2 * i] = string.sub(job, 1, tonumber(ARGV[1]))
end
return states
"""
)

REQUEUE: Final = Script(
    """
-- Keys: lanes, jobs, failed. Arguments: lane, failed job, job. Returns whether it was among the failed ones.
"""
    + _NOW
    + _TRY
    + """
if redis.call('LREM', KEYS[3], 1, ARGV[2]) == 0 then return 0 end
if not try('RPUSH', KEYS[2], ARGV[3]) then
  redis.call('DEL', KEYS[2])
  redis.call('RPUSH', KEYS[2], ARGV[3])
end
redis.call('ZADD', KEYS[1], 'NX', at(now), ARGV[1])
return 1
"""
)
