-- Asks for one host after the other, in an order that no cache knows: wrk -s rules.lua URL -- RULES
local requests, at, count = {}, 0, 1

function init(args)
  count = tonumber(args[1])
  for index = 0, count - 1 do
    wrk.headers["Host"] = count == 1 and "bench.test" or "h" .. index .. ".bench.test"
    requests[index] = wrk.format("GET")
  end
end

function request()
  at = (at + 7919) % count
  return requests[at]
end
