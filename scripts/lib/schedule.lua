-- Free times, computed from the clinic's hours, people and services, less what
-- host.diary says is taken. Times are cells of 15 minutes; a booking takes all
-- cells that it covers, or none.
local M = {}

local CELL_S = 900
local keys = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" }

-- "2026-11-24", "09:30" -> a moment in the clinic's zone, or nil
function M.at(date, time)
  local y, m, d = date:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  local h, min = (time or "12:00"):match("^(%d%d):(%d%d)$")
  if not y or not h then
    return nil
  end
  return os.time({
    year = tonumber(y), month = tonumber(m), day = tonumber(d),
    hour = tonumber(h), min = tonumber(min),
  })
end

function M.find(list, id)
  for _, entry in ipairs(list or {}) do
    if entry.id == id then
      return entry
    end
  end
end

local function has(list, value)
  for _, v in ipairs(list) do
    if v == value then
      return true
    end
  end
  return false
end

-- Those who do a service.
function M.people_for(clinic, service_id)
  local out = {}
  for _, person in ipairs(clinic.people or {}) do
    if not person.services or has(person.services, service_id) then
      out[#out + 1] = person
    end
  end
  return out
end

-- Spans { from, to } in seconds since 1970 of one day; none on holidays.
local function spans_of(hours, date)
  local noon = M.at(date)
  local out = {}
  for _, span in ipairs((hours or {})[keys[os.date("*t", noon).wday]] or {}) do
    local h1, m1, h2, m2 = span:match("^(%d+):(%d+)%-(%d+):(%d+)$")
    local d = os.date("*t", noon)
    local function moment(h, m)
      return os.time({ year = d.year, month = d.month, day = d.day, hour = h, min = m })
    end
    out[#out + 1] = {
      moment(tonumber(h1), tonumber(m1)), moment(tonumber(h2), tonumber(m2)),
    }
  end
  return out
end

local function within(spans, from, to)
  for _, span in ipairs(spans) do
    if span[1] <= from and to <= span[2] then
      return true
    end
  end
  return false
end

-- Whether the clinic and the person work from..to on that date.
function M.works(clinic, person, date, from, to)
  if has(clinic.holidays or {}, date) then
    return false
  end
  if not within(spans_of(clinic.hours, date), from, to) then
    return false
  end
  return not person.hours or within(spans_of(person.hours, date), from, to)
end

local function cell_key(person, t)
  return person.id .. "/" .. t
end

-- Whether no cell from t on is taken (by another than owner).
function M.is_free(person, service, t, owner)
  for at = t, t + service.minutes * 60 - 1, CELL_S do
    local holder = host.diary.holder(cell_key(person, at))
    if holder and holder ~= owner then
      return false
    end
  end
  return true
end

-- Takes all cells for owner, or none: true, or nil, why, code.
function M.take(person, service, t, owner)
  local till = t + service.minutes * 60
  local taken = {}
  for at = t, till - 1, CELL_S do
    local key = cell_key(person, at)
    local before = host.diary.holder(key)
    local ok, why, code = host.diary.take(key, owner, till)
    if not ok then
      for _, mine in ipairs(taken) do
        host.diary.release(mine, owner)
      end
      return nil, why, code
    end
    if not before then
      taken[#taken + 1] = key
    end
  end
  return true
end

local function part_fits(part, t)
  local hour = os.date("*t", t).hour
  return not part or part == "any" or (part == "morning") == (hour < 12)
end

-- Who of these works on that day: { person, spans or nil (all the day) }.
local function on_duty(people, date)
  local out = {}
  for _, person in ipairs(people) do
    out[#out + 1] = { person, person.hours and spans_of(person.hours, date) }
  end
  return out
end

-- Adds the free starts of one span of one day; true when there are enough.
local function add_free(out, wish, span, duty, soonest)
  local length = wish.service.minutes * 60
  for t = span[1], span[2] - length, 1800 do
    if t >= soonest and part_fits(wish.part, t) then
      for _, entry in ipairs(duty) do
        local person, spans = entry[1], entry[2]
        if (not spans or within(spans, t, t + length)) and M.is_free(person, wish.service, t) then
          out[#out + 1] = { time = t, person = person }
          if #out >= (wish.most or 6) then
            return true
          end
        end
      end
    end
  end
end

-- Free starts, earliest first: { time = , person = }. wish: service (entry),
-- person (entry or nil), from (date or nil), days, part, most.
function M.free(clinic, wish)
  local out = {}
  local people = wish.person and { wish.person } or M.people_for(clinic, wish.service.id)
  local soonest = os.time() + 3600
  local noon = M.at(wish.from or os.date("%Y-%m-%d"))
  for day = 0, (wish.days or 7) - 1 do
    local date = os.date("%Y-%m-%d", noon + day * 86400)
    if not has(clinic.holidays or {}, date) then
      local duty = on_duty(people, date)
      for _, span in ipairs(spans_of(clinic.hours, date)) do
        if add_free(out, wish, span, duty, soonest) then
          return out
        end
      end
    end
  end
  return out
end

return M
