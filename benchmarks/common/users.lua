-- Each request of wrk is another user's: the tokens of a file (the argument), one a line, in turn. An empty file: nobody's.

local tokens, number = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    tokens[#tokens + 1] = "Authorization: Bearer " .. line .. "\r\n"
  end
end

function request()
  number = number + 1
  local credential = #tokens > 0 and tokens[number % #tokens + 1] or ""
  return "GET " .. wrk.path .. "?n=" .. number .. " HTTP/1.1\r\nHost: localhost\r\n" .. credential .. "\r\n"
end
