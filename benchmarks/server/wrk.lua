-- Asks the requests of a folder in turn; the last argument is the mean pause before each, in milliseconds.
-- At the end it prints one line of JSON: wrk's own report is for people.

local requests, at, pause = {}, 0, 0

local function content(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  for line in io.lines(args[1] .. "/headers") do
    local name, value = line:match("^(.-): (.*)$")
    wrk.headers[name] = value
  end
  for number = 1, tonumber(args[2]) do
    requests[number] = wrk.format("POST", nil, nil, content(args[1] .. "/" .. number))
  end
  pause = tonumber(args[3])
  if pause == 0 then delay = nil end
  math.randomseed(20)
end

function delay()
  return math.random(0, 2 * pause)
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
