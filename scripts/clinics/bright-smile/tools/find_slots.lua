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

return {
  name = "find_slots",
  description = "Free appointment times for a service, earliest first. Offer two or three of them.",
  effect = "read",
  parameters = {
    service = { type = "string", enum = ids(clinic.services), description = "id of the service" },
    person = { type = "string", enum = ids(clinic.people), optional = true,
      description = "id of the dentist, only if the caller wants a certain one" },
    from = { type = "string", format = "date", optional = true,
      description = "first day to look at; today when left out" },
    part = { type = "string", enum = { "any", "morning", "afternoon" }, optional = true,
      description = "part of the day, if the caller cares" },
  },
  run = function(_, args)
    local today = os.date("%Y-%m-%d")
    if args.from and args.from < today then
      return nil, "'from' is in the past; today is " .. today
    end
    local found = schedule.free(clinic, {
      service = schedule.find(clinic.services, args.service),
      person = args.person and schedule.find(clinic.people, args.person),
      from = args.from,
      part = args.part,
      days = 14,
      most = 6,
    })
    local slots = json.array()
    for i, slot in ipairs(found) do
      slots[i] = {
        date = os.date("%Y-%m-%d", slot.time),
        time = os.date("%H:%M", slot.time),
        spoken = speak.moment(slot.time),
        person = slot.person.id,
        with = slot.person.name,
      }
    end
    if #slots == 0 then
      return {
        slots = slots,
        note = "nothing is free in these two weeks; try another day or person",
      }
    end
    return { slots = slots }
  end,
}
