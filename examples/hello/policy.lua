-- A menu in plain Lua: on_turn handles every turn, so no model is asked.
local M = {}

local menu = {
  { words = { "hour", "open", "time", "1" }, say = "We are open every day from nine to five." },
  { words = { "address", "where", "2" }, say = "We are at 1 Example Street." },
  { words = { "bye", "thank", "9" }, say = "Goodbye!", ends = true },
}

local function choose(text)
  text = text:lower()
  for _, item in ipairs(menu) do
    for _, word in ipairs(item.words) do
      if text:find(word, 1, true) then
        return item
      end
    end
  end
end

local function answer(call, text)
  local item = choose(text)
  if not item then
    call.state.missed = (call.state.missed or 0) + 1
    call:say("Sorry, I know hours, address, and goodbye.")
    return
  end
  call:say(item.say)
  if item.ends then
    call:hangup("goodbye")
  end
end

function M.on_turn(call, turn)
  answer(call, turn.text)
  return true
end

function M.on_dtmf(call, key)
  answer(call, key)
end

return M
