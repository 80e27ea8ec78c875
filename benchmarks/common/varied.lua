-- Each request of wrk another one: the target's query, User-Agent and Referer. The fields of -H stay as they are.
-- generator.py does the same without wrk.

local fixed, number = "", 0

function init(_)
  for name, value in pairs(wrk.headers) do
    fixed = fixed .. name .. ": " .. value .. "\r\n"
  end
end

function request()
  number = number + 1
  return "GET " .. wrk.path .. "?n=" .. number .. " HTTP/1.1\r\n" .. fixed
    .. "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0." .. number
    .. " Safari/537.36\r\nReferer: http://localhost:3000/page/" .. number .. "\r\n\r\n"
end
