local speak = require("speak")
local clinic = host.clinic

return {
  name = "clinic_info",
  description = "Opening hours, address, telephone number, services with prices, and people.",
  effect = "read",
  run = function()
    local services = {}
    for i, s in ipairs(clinic.services) do
      services[i] = { id = s.id, name = s.name, minutes = s.minutes, price = s.price,
        about = s.about }
    end
    local people = {}
    for i, p in ipairs(clinic.people) do
      people[i] = { id = p.id, name = p.name, role = p.role }
    end
    return {
      hours = speak.hours(clinic.hours),
      closed_on = clinic.holidays,
      address = clinic.address,
      phone = clinic.phone,
      services = services,
      people = people,
    }
  end,
}
