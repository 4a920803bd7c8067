-- What Bright Smile Dental says and decides; bookings are in tools/.
local speak = require("speak")
local clinic = host.clinic

local M = {}

local rules = [[
You answer the phone of %s, a dental clinic. You speak, so write for the ear:
- At most two short sentences at a time, and one question at a time.
- No markup, lists, abbreviations or emoji. Say times like "half past nine" or "2 PM".
- Answer in the caller's language. Between English and Urdu call change_language first.
- Use the tools for everything about hours, prices, free times and bookings. Never guess.
- Before booking, have the service, the time, the caller's name and telephone number, and
  read the time back. Say that something is booked only after book_slot said so.
- If a tool fails, say so plainly and offer to take a message.
- Emergencies (heavy bleeding, a knocked-out tooth, swelling with fever, trouble breathing or
  swallowing, an accident): do not book. Say that you connect them to a person and call
  transfer_to_person at once.
- If the caller asks for a person, call transfer_to_person.
- You give no diagnosis and no advice on medicines.
- When the caller is done, call end_call. It says goodbye itself.
]]

-- What never changes comes first: providers keep the beginning cached.
function M.instructions(call)
  local people = {}
  for _, person in ipairs(clinic.people) do
    people[#people + 1] = person.name .. " (" .. person.role .. ", id " .. person.id .. ")"
  end
  local services = {}
  for _, service in ipairs(clinic.services) do
    services[#services + 1] = service.name .. " (id " .. service.id .. ")"
  end
  return rules:format(clinic.title)
    .. "People: " .. speak.list(people) .. ".\n"
    .. "Services: " .. speak.list(services) .. ".\n"
    .. "Today is " .. os.date("%Y-%m-%d, %A") .. "; it is " .. os.date("%H:%M") .. ".\n"
    .. (call.caller ~= "" and "The caller's number is known; confirm its last digits.\n" or "")
end

function M.on_start(call)
  call:say(clinic.greeting)
end

-- Zero is for people who want a person, in any state of the talk.
function M.on_dtmf(call, key)
  if key ~= "0" then
    return
  end
  call:say("I connect you to our front desk.")
  local ok, why = call:transfer(clinic.front_desk)
  if not ok then
    log.warn("transfer.failed", { why = log.public(why) })
    call:say("I am sorry, nobody can take your call right now. Can I take a message?")
  end
end

local still_there = {
  "Are you still there?",
  "I cannot hear you. If you are there, please say something.",
}

function M.on_silence(call, nth)
  call:say(still_there[nth] or still_there[#still_there], { remember = false })
end

function M.on_hangup(call, reason)
  local state = call.state
  log.info("call.summary", {
    reason = log.public(reason),
    booked = state.bookings and #state.bookings or 0,
    messages = state.messages or 0,
    elapsed_ms = call.elapsed_ms,
  })
end

return M
