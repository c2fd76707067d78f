"""The meter's Lua: what must be decided at once, where the counts live and by that place's clock.

Times are whole microseconds. A count is kept as platforms/memory/counts.py keeps it, so that both decide alike: a log is
a list of `time:amount` with its sum beside it, a leak is `level:time`, parallel calls are a sorted set of places by the
time they fall free. Every key but the marks' sentinel expires.
"""

from __future__ import annotations

_COMMON = """
local function now_of(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local function entry(text)
  local split = string.find(text, ':', 1, true)
  return tonumber(string.sub(text, 1, split - 1)), tonumber(string.sub(text, split + 1))
end
local function written(time, amount) return string.format('%.0f:%.0f', time, amount) end
local function whole(number) return string.format('%.0f', number) end
local function keep(key, micros) redis.call('PEXPIRE', key, whole(math.ceil(micros / 1000) + 1000)) end
"""

TAKE = (
    _COMMON
    + """
local now = now_of(ARGV[1])
local member, guarded = ARGV[2], ARGV[3] == '1'
if guarded and redis.call('EXISTS', KEYS[#KEYS]) == 0 then return {-1} end
local BATCH, BUSY = 64, 1000000

local function expired(list, sum, window)
  local used, changed = tonumber(redis.call('GET', sum) or '0'), false
  while true do
    local some, gone = redis.call('LRANGE', list, 0, BATCH - 1), 0
    for _, text in ipairs(some) do
      local time, amount = entry(text)
      if time > now - window then break end
      gone, used = gone + 1, used - amount
    end
    if gone > 0 then redis.call('LTRIM', list, gone, -1) changed = true end
    if gone < BATCH then break end
  end
  if changed then redis.call('SET', sum, whole(used), 'KEEPTTL') end
  return used
end

local function log_wait(list, used, window, limit, amount)
  if amount > limit then return window end
  local excess, place = used + amount - limit, 0
  while true do
    local some = redis.call('LRANGE', list, place, place + BATCH - 1)
    if #some == 0 then return window end
    for _, text in ipairs(some) do
      local time, taken = entry(text)
      excess = excess - taken
      if excess <= 0 then return time + window - now end
    end
    place = place + BATCH
  end
end

local function log(list, sum, limit, window, amount)
  local used = expired(list, sum, window)
  if amount > 0 and used + amount <= limit then
    redis.call('RPUSH', list, written(now, amount))
    redis.call('SET', sum, whole(used + amount))
    keep(list, window)
    keep(sum, window)
    return 0, limit - used - amount, window
  end
  local reset, wait = 0, 0
  if used > 0 then
    local time = entry(redis.call('LINDEX', list, -1))
    reset = time + window - now
  end
  if amount > 0 then wait = log_wait(list, used, window, limit, amount) end
  return wait, math.max(0, limit - used), reset
end

local function leak(key, limit, window, amount)
  local text, level, wait, full = redis.call('GET', key), 0, 0, limit * window
  if text then
    local before, at = entry(text)
    level = math.max(0, before - (now - at) * limit)
  end
  if amount > 0 then
    local filled = level + amount * window
    if filled <= full then
      level = filled
      redis.call('SET', key, written(level, now))
      keep(key, level / limit)
    elseif amount > limit then wait = window
    else wait = math.ceil((filled - full) / limit) end
  end
  local remaining = 0
  if level < full then remaining = math.floor((full - level) / window) end
  return wait, remaining, math.ceil(level / limit)
end

local function parallel(places, limit, window, amount, index)
  redis.call('ZREMRANGEBYSCORE', places, '-inf', whole(now))
  if redis.call('ZCARD', places) + amount > limit then return BUSY, 0, 0 end
  for number = 1, amount do
    redis.call('ZADD', places, whole(now + window), member .. ':' .. index .. ':' .. number)
  end
  if redis.call('PTTL', places) < window / 1000 + 1000 then keep(places, window) end
  return 0, 0, 0
end

local function alive(key)
  return math.max(0, tonumber(redis.call('GET', key) or '0') - now), 0, 0
end

local function one(index, amount)
  local key, more, at = KEYS[2 * index - 1], KEYS[2 * index], 4 * index
  local kind, limit, window = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if kind == 'l' then return log(key, more, limit, window, amount) end
  if kind == 'g' then return leak(key, limit, window, amount) end
  if kind == 'p' then return parallel(key, limit, window, amount, index) end
  return alive(key)
end

local function undo(index)
  local key, more, at = KEYS[2 * index - 1], KEYS[2 * index], 4 * index
  local kind, limit, window, amount = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if kind == 'l' and amount > 0 then
    redis.call('RPOP', key)
    redis.call('DECRBY', more, amount)
  elseif kind == 'g' and amount > 0 then
    local level, time = entry(redis.call('GET', key))
    redis.call('SET', key, written(math.max(0, level - amount * window), time), 'KEEPTTL')
  elseif kind == 'p' then
    for number = 1, amount do redis.call('ZREM', key, member .. ':' .. index .. ':' .. number) end
  end
end

local reply, waits, denied, count = {0, now}, {}, false, (#ARGV - 3) / 4
for index = 1, count do
  local wait, remaining, reset = one(index, tonumber(ARGV[4 * index + 3]))
  waits[index] = wait
  denied = denied or wait > 0
  reply[3 * index], reply[3 * index + 1], reply[3 * index + 2] = wait, remaining, reset
end
if not denied then return reply end
reply[1] = 1
for index = count, 1, -1 do
  if waits[index] == 0 then undo(index) end
end
for index = 1, count do
  local kind = ARGV[4 * index]
  if kind == 'l' or kind == 'g' then
    local _, remaining, reset = one(index, 0)
    reply[3 * index + 1], reply[3 * index + 2] = remaining, reset
  end
end
return reply
"""
)
"""KEYS: two a demand, then the sentinel where marks are asked for. ARGV: the time or '', the lease's name, '1' to look at
the sentinel, then of each demand its kind (l, g, p, a), limit, window and amount. Returns {-1} where the marks are missing,
else {0 taken or 1 denied, the time, and of each demand what it waits, what remains, when it is whole again}."""

GIVE = (
    _COMMON
    + """
local now, member = now_of(ARGV[1]), ARGV[2]

local function insert(list, sum, at, window, used)
  if used == 0 or at <= now - window then return end
  local text, place = written(at, used), -1
  while true do
    local before = redis.call('LINDEX', list, place)
    if not before then redis.call('LPUSH', list, text) break end
    if entry(before) <= at then redis.call('LINSERT', list, 'AFTER', before, text) break end
    place = place - 1
  end
  redis.call('INCRBY', sum, used)
  keep(list, window)
  keep(sum, window)
end

local function log(list, sum, at, window, amount, used)
  if amount == 0 then return insert(list, sum, at, window, used) end
  local place = redis.call('LPOS', list, written(at, amount), 'RANK', -1)
  if not place then return end
  if used > 0 then redis.call('LSET', list, place, written(at, used))
  else redis.call('LREM', list, -1, written(at, amount)) end
  redis.call('INCRBY', sum, used - amount)
end

local function leak(key, limit, window, amount, used)
  local text = redis.call('GET', key)
  if not text and used <= amount then return end
  local level, at = 0, now
  if text then level, at = entry(text) end
  level = math.max(0, level + (used - amount) * window)
  redis.call('SET', key, written(level, at))
  keep(key, math.max(0, level / limit - (now - at)))
end

for index = 1, (#ARGV - 2) / 7 do
  local key, more, first = KEYS[2 * index - 1], KEYS[2 * index], 7 * index - 4
  local kind, limit, window = ARGV[first], tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
  local amount, used = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
  local at, place = tonumber(ARGV[first + 5]), ARGV[first + 6]
  if kind == 'l' then log(key, more, at, window, amount, used)
  elseif kind == 'g' then leak(key, limit, window, amount, used)
  elseif kind == 'p' then
    for number = 1, amount do redis.call('ZREM', key, member .. ':' .. place .. ':' .. number) end
  end
end
return 1
"""
)
"""KEYS: two a demand. ARGV: the time or '', the lease's name, then of each demand its kind, limit, window, amount, what was
used, when it was taken and its place in the take."""

FORGET = """
local said = redis.call('GET', KEYS[1])
if said and said ~= ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
"""On each new connection: a Redis that was started anew may have lost its last marks, so it no longer counts as marked."""

LOADED = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
"""
"""The marks are whole, unless Redis was emptied or started anew while they were written."""
