-- Posts so many bytes again and again: wrk -s upload.lua URL -- BYTES
local request_text

function init(args)
  wrk.headers["Content-Type"] = "application/octet-stream"
  request_text = wrk.format("POST", nil, nil, string.rep("s", tonumber(args[1])))
end

function request()
  return request_text
end
