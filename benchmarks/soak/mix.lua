-- Asks questions of several protocols in turn and compares every answer, status and body, with what it must be.
-- The server returns each request's id, which is the question's number. At the end one line of JSON is printed.

local threads, questions, texts, at, pause = {}, {}, {}, 0, 0
wrong, sample = 0, ""

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  questions = dofile(args[1])
  for number, question in ipairs(questions) do
    question.headers["x-request-id"] = tostring(number)
    question.headers["host"] = "localhost"
    texts[number] = wrk.format("POST", question.path, question.headers, question.body)
  end
  pause = tonumber(args[2])
  if pause == 0 then delay = nil end
  math.randomseed(20)
end

function delay()
  return math.random(0, 2 * pause)
end

function request()
  at = at % #texts + 1
  return texts[at]
end

function response(status, headers, body)
  local question = questions[tonumber(headers["x-request-id"] or 0)]
  if question and question.status == status and question.answer == body then return end
  wrong = wrong + 1
  if sample == "" then
    sample = (question and question.name or "no id") .. ": " .. status .. " " .. body:sub(1, 200)
  end
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(one) return string.format("\\u%04x", one:byte()) end) .. '"'
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"broken":%d,"wrong":%d,"sample":%s}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout,
    threads[1]:get("wrong"), quoted(threads[1]:get("sample"))))
end
