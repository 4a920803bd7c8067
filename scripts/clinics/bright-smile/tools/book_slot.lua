local schedule = require("schedule")
local speak = require("speak")
local clinic = host.clinic

local function ids(list)
  local out = {}
  for i, entry in ipairs(list) do
    out[i] = entry.id
  end
  return out
end

-- The model may call twice for one wish (an answer was lost, the caller spoke
-- over it): the same booking is answered again, not made again.
local function already(call, key)
  for _, booking in ipairs(call.state.bookings or {}) do
    if booking.key == key then
      return booking.result
    end
  end
end

return {
  name = "book_slot",
  description = "Books an appointment at a time that find_slots gave. "
    .. "Only after the caller has agreed to the time and given name and telephone number.",
  effect = "commit",
  parameters = {
    service = { type = "string", enum = ids(clinic.services), description = "id of the service" },
    person = { type = "string", enum = ids(clinic.people), description = "id of the dentist" },
    date = { type = "string", format = "date", description = "day of the appointment" },
    time = { type = "string", format = "time", description = "start, 24 hours" },
    name = { type = "string", max_length = 80, description = "the caller's full name" },
    phone = { type = "string", format = "phone", description = "the caller's telephone number" },
  },
  run = function(call, args)
    if not args.name:find("%S") then
      return nil, "'name' is empty; ask the caller for the name"
    end
    local service = schedule.find(clinic.services, args.service)
    local person = schedule.find(clinic.people, args.person)
    local t = schedule.at(args.date, args.time)
    local key = table.concat({ args.service, args.person, args.date, args.time }, "/")
    local done = already(call, key)
    if done then
      return done
    end
    if t < os.time() then
      return nil, "that time is in the past; call find_slots"
    end
    if t % 900 ~= 0
      or not schedule.works(clinic, person, args.date, t, t + service.minutes * 60) then
      return nil, person.name .. " does not work then; call find_slots"
    end
    -- The owner names the booking, so that a second one of the same call that
    -- overlaps is refused too.
    local ok, why, code = schedule.take(person, service, t, call.id .. "/" .. key)
    if not ok then
      log.info("booking.refused", { code = log.public(code) })
      return nil, why .. "; nothing was booked, call find_slots for other times"
    end
    local result = {
      booked = true,
      spoken = speak.moment(t),
      with = person.name,
      service = service.name,
    }
    call.state.bookings = call.state.bookings or {}
    table.insert(call.state.bookings, { key = key, result = result })
    log.info("booking.made", {
      service = log.public(service.id), person = log.public(person.id), at = t,
      name = args.name, phone = args.phone,
    })
    return result
  end,
}
