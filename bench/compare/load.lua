-- The requests that wrk sends, and the results that it prints.
--
--   wrk ... --script load.lua URL -- MODE COUNT FIRST BEFORE AFTER [HEADER VALUE]...
--
-- The target of a request is BEFORE, a number and AFTER. MODE selects the numbers: "cycle" repeats 0 to COUNT - 1 in order, "zipf" draws
-- one of COUNT from a Zipf distribution with an exponent of 0.8, "new" counts up from FIRST, and "mixed" is like "cycle", but every tenth
-- request has a new number. At the end, a line that begins with RESULT has the results for bench/compare/load.py.

local EXPONENT = 0.8
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

-- The smallest index whose sum is at least the value.
local function search(sums, value)
  local low, high = 1, #sums
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sums[middle] < value then low = middle + 1 else high = middle end
  end
  return low
end

-- wrk calls `request` once to look at it, before it sends any.
sent = -1
requested = 0

function init(args)
  local mode, count, first, before, after = args[1], tonumber(args[2]), tonumber(args[3]), args[4], args[5]
  local headers = {}
  for index = 6, #args, 2 do headers[args[index]] = args[index + 1] end
  local render = function(number) return wrk.format("GET", before .. number .. after, headers) end

  local rendered = {}
  if mode ~= "new" then
    for number = 0, count - 1 do rendered[number] = render(number) end
  end
  local sums = {}
  if mode == "zipf" then
    local sum = 0
    for rank = 1, count do
      sum = sum + 1 / rank ^ EXPONENT
      sums[rank] = sum
    end
    math.randomseed(first)
  end

  local choose = {
    cycle = function() return rendered[requested % count] end,
    zipf = function() return rendered[search(sums, math.random() * sums[count]) - 1] end,
    new = function() return render(first + requested) end,
    mixed = function()
      if requested % 10 == 9 then return render(first + requested) end
      return rendered[requested % count]
    end,
  }
  local chosen = choose[mode]
  function request()
    local text = chosen()
    requested = requested + 1
    sent = sent + 1
    return text
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local sent = 0
  for _, thread in ipairs(threads) do sent = sent + thread:get("sent") end
  print(string.format("RESULT requests=%d sent=%d bytes=%.0f microseconds=%.0f connect=%d read=%d write=%d status=%d timeout=%d p50=%.0f p99=%.0f p999=%.0f",
    summary.requests, sent, summary.bytes, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
