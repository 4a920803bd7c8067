-- What the host calls in every state: one function an event, each given the
-- policy's table and the call. Runs before any script of a clinic.
local M = {}

-- xpcall over pcall: the handler runs after the stack is unwound, where the
-- time ceiling still works, and the function may wait.
local function finish(handler, ok, ...)
  if ok then
    return true, ...
  end
  return false, handler(...)
end

function M.xpcall(f, handler, ...)
  return finish(handler, pcall(f, ...))
end

function M.on_start(policy, call)
  if policy.on_start then
    return policy.on_start(call)
  end
  local greeting = host.clinic.greeting
  if greeting then
    call:say(greeting)
  else
    call:reply()
  end
end

function M.on_turn(policy, call, turn)
  return policy.on_turn(call, turn)
end

-- policy.on_tool may answer in the tool's place (a refusal, a stored result);
-- nil lets the tool run.
function M.on_tool(policy, call, name, tool, args)
  if policy.on_tool then
    local instead, why = policy.on_tool(call, name, args)
    if instead ~= nil or why ~= nil then
      return instead, why
    end
  end
  return tool.run(call, args)
end

function M.on_dtmf(policy, call, key)
  if policy.on_dtmf then
    return policy.on_dtmf(call, key)
  end
end

function M.on_silence(policy, call, nth)
  return policy.on_silence(call, nth)
end

function M.on_hangup(policy, call, reason)
  if policy.on_hangup then
    return policy.on_hangup(call, reason)
  end
end

local function value_of(v, call)
  if type(v) == "function" then
    return v(call)
  end
  return v
end

function M.prompt(policy, call)
  return value_of(policy.instructions, call), value_of(policy.tools, call)
end

return M
