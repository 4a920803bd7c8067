-- Words for the ear: dates, times and lists as a person says them (English).
local M = {}

local days = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local months = {
  "January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December",
}

-- 9, 30 -> "9:30 AM"; 14, 0 -> "2 PM"
function M.clock(hour, min)
  local h = hour % 12
  if h == 0 then
    h = 12
  end
  local half = hour < 12 and "AM" or "PM"
  if min == 0 then
    return h .. " " .. half
  end
  return string.format("%d:%02d %s", h, min, half)
end

-- A moment -> "Tuesday, November 24"
function M.date(t)
  local d = os.date("*t", t)
  return string.format("%s, %s %d", days[d.wday], months[d.month], d.day)
end

-- A moment -> "Tuesday, November 24 at 9:30 AM"
function M.moment(t)
  local d = os.date("*t", t)
  return M.date(t) .. " at " .. M.clock(d.hour, d.min)
end

-- { "a", "b", "c" } -> "a, b and c"
function M.list(words, last)
  local n = #words
  if n < 2 then
    return words[1] or ""
  end
  return table.concat(words, ", ", 1, n - 1) .. " " .. (last or "and") .. " " .. words[n]
end

-- Opening hours -> { "Monday to Friday 9 AM to 5 PM", "Saturday 10 AM to 2 PM" }
function M.hours(hours)
  local order = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" }
  local names = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" }
  local out, from, text = {}, nil, nil
  local function close(to)
    if text then
      local name = from == to and names[from] or names[from] .. " to " .. names[to]
      out[#out + 1] = name .. " " .. text
    end
  end
  for i, day in ipairs(order) do
    local spans = {}
    for _, span in ipairs(hours[day] or {}) do
      local h1, m1, h2, m2 = span:match("^(%d+):(%d+)%-(%d+):(%d+)$")
      spans[#spans + 1] = M.clock(tonumber(h1), tonumber(m1)) .. " to "
        .. M.clock(tonumber(h2) % 24, tonumber(m2))
    end
    local now = #spans > 0 and M.list(spans) or nil
    if now ~= text then
      close(i - 1)
      from, text = i, now
    end
  end
  close(7)
  return out
end

return M
