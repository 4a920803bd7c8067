-- Writes bindings/API.md and bindings/meta.lua from bindings/api.lua:
--   luajit bindings/gen_api.lua
-- Loaded by the tests it only returns the two functions.
local M = {}

local function add(out, fmt, ...)
  out[#out + 1] = select("#", ...) > 0 and fmt:format(...) or fmt
end

local function signature(e)
  local names = {}
  for i, p in ipairs(e.params) do
    names[i] = p.optional and "[" .. p[1] .. "]" or p[1]
  end
  return e.name .. "(" .. table.concat(names, ", ") .. ")"
end

local function table_of(out, heads, rows)
  add(out, "| " .. table.concat(heads, " | ") .. " |")
  add(out, "|" .. ("---|"):rep(#heads))
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i == 1 and "`" .. cell .. "`" or (cell:gsub("|", "\\|"))
    end
    add(out, "| " .. table.concat(cells, " | ") .. " |")
  end
  add(out, "")
end

local head = [[
# The script API

<!-- Made by bindings/gen_api.lua from bindings/api.lua. Do not edit. -->

A clinic is a folder: `clinic.lua` (data), `policy.lua` (what it says and decides), `tools/*.lua`
(what the model may call) and modules of its own for `require()`. One Lua state serves one call.

- Scripts are straight-line: what waits (`call:say_wait`, `call:transfer`, `sleep`) simply returns
  later. Each event runs in a coroutine of its own.
- Misuse raises an error with the argument's number. The world failing returns `nil, message, code`;
  codes are constants like `ERR_REQUEST`, `ETIMEDOUT`, `ECANCELED`.
- A script error ends that task with a traceback in the log, never the call: a turn is answered by
  the stored apology, a tool by an error result for the model.
- Ceilings: 20 ms of processor time a run (from one wait to the next), 250 ms a task, 500 ms to
  load; 16 MiB a call, 2 MiB a text or table part; 64 KiB from `string.rep` and `string.format`,
  1 MiB from `string.gsub`; 1,000,000 steps a pattern; 64 requests of the call and 64 log events a
  run (more of the former raise, more of the latter are dropped). `pcall` does not catch the end of time.
- Names: `assert error getmetatable ipairs next pairs pcall rawequal rawget select setmetatable
  tonumber tostring type unpack xpcall`, `string table math bit coroutine`, `os.time os.date
  os.clock`, and what follows here. Globals are not written; reading an unknown one raises.
]]

function M.markdown(api)
  local out = { head }
  add(out, "## The policy\n")
  add(out, "`policy.lua` returns a table; every field is optional.\n")
  for _, e in ipairs(api.events) do
    add(out, "- `%s(%s)`: %s", e.name, e.args, e.about)
  end
  add(out, "- `instructions`: the model's system message, a text or `function(call)`. Cannot wait.")
  add(out, "- `tools`: names of files in `tools/`, a list or `function(call)`; all when absent.\n")
  add(out, "A turn has:\n")
  table_of(out, { "field", "type", "what" }, api.turn)
  add(out, "A call has the fields:\n")
  table_of(out, { "field", "type", "what" }, api.fields)
  add(out, M.tools_chapter)
  for _, group in ipairs(api.groups) do
    add(out, "## %s\n\n%s\n", group.title, group.about)
    for _, e in ipairs(group.entries) do
      add(out, "### %s\n", signature(e))
      add(out, "%s\n", e.about)
      add(out, "- context: %s", api.phases[e.phases])
      for _, p in ipairs(e.params) do
        add(out, "- `%s` (%s%s): %s", p[1], p[2], p.optional and ", optional" or "", p[3])
      end
      add(out, "- returns: %s", e.returns)
      add(out, "- waits: %s", e.phases == "wait" and "yes" or "no")
      add(out, "- raises: %s", e.errors or "wrong arguments only")
      add(out, "- since: %s\n", e.since or api.since)
      add(out, "```lua\n%s\n```\n", e.example)
    end
  end
  add(out, "## clinic.lua\n")
  add(out, "Returns a table of data. A key that is not here, or of another type, is refused at "
    .. "load with file and line. `llm[]` and `tts[]` have the fields of `stt[]`; a person's "
    .. "`hours` those of the clinic.\n")
  table_of(out, { "key", "what" }, api.clinic)
  return table.concat(out, "\n"):gsub("\n+$", "\n")
end

M.tools_chapter = [[
## Tools

`tools/NAME.lua` returns a table:

| field | what |
|---|---|
| `name` | the file's name |
| `description` | tells the model when to call it |
| `parameters` | by name: what each is, see below |
| `effect` | `"read"` changes nothing, `"hold"` can be undone, `"commit"` cannot |
| `run` | `function(call, args)`, may wait, at most `limits.tool_ms` |

A parameter is a table: `type` (string, integer, number, boolean, array or object), `description`,
`optional`, `enum`, `min`, `max`, `max_length`, `format` (date, time or phone), `items` (of an
array), `properties` (of an object).

The model's arguments are checked before `run`: what is wrong goes back to it as a sentence. A table
becomes JSON, a text `{"result": text}`, nothing or true `{"ok": true}`; `nil, why` becomes
`{"error": why}`. An error in it, or its limit, becomes an error result that claims nothing.

```lua
return {
  name = "opening_hours",
  description = "When the clinic is open.",
  effect = "read",
  run = function(call, args)
    return { hours = require("speak").hours(host.clinic.hours or {}) }
  end,
}
```
]]

local meta_head = [[
---@meta
-- DO NOT EDIT. GENERATED BY bindings/gen_api.lua from bindings/api.lua.
error("stubs for editors, not to be required")
]]

local lua_types = { ["true | nil, message, code"] = "true?, string?, string?" }

-- Comment lines of at most 100 characters.
local function wrap(out, text)
  local line = "---"
  for word in text:gmatch("%S+") do
    if #line + 1 + #word > 100 then
      out[#out + 1] = line
      line = "---"
    end
    line = line .. " " .. word
  end
  out[#out + 1] = line
end

local function stub(out, e)
  wrap(out, e.about)
  local names = {}
  for i, p in ipairs(e.params) do
    wrap(out, ("`%s`: %s"):format(p[1], p[3]))
    add(out, "---@param %s%s %s", p[1], p.optional and "?" or "", p[2])
    names[i] = p[1]
  end
  add(out, "---@return %s # %s", lua_types[e.returns] or "any", e.returns)
  add(out, "function %s(%s) end\n", e.name, table.concat(names, ", "))
end

function M.meta(api)
  local out = { meta_head }
  add(out, "---@class Turn")
  for _, f in ipairs(api.turn) do
    add(out, "---@field %s %s %s", f[1], f[2], f[3])
  end
  add(out, "\n---@class Call")
  for _, f in ipairs(api.fields) do
    add(out, "---@field %s %s %s", f[1], f[2], f[3])
  end
  add(out, "local call = {}\n")
  add(out, "log = {}\njson = {}")
  add(out, "json.null = nil ---@type userdata")
  add(out, "host = { clinic = {}, name = \"\", bundle = \"\", version = \"\", diary = {} }\n")
  for _, group in ipairs(api.groups) do
    for _, e in ipairs(group.entries) do
      stub(out, e)
    end
  end
  add(out, "---@class Policy")
  for _, e in ipairs(api.events) do
    local args = e.args:gsub("%w+", {
      call = "call: Call", turn = "turn: Turn", name = "name: string", args = "args: table",
      key = "key: string", nth = "nth: integer", reason = "reason: string",
    })
    add(out, "---@field %s? fun(%s): any", e.name, args)
  end
  add(out, "---@field instructions? string|fun(call: Call): string")
  add(out, "---@field tools? string[]|fun(call: Call): string[]")
  return table.concat(out, "\n") .. "\n"
end

local function write(path, text)
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
end

if arg and arg[0] and arg[0]:find("gen_api.lua", 1, true) then
  local dir = arg[0]:match("^(.*)/") or "."
  local api = dofile(dir .. "/api.lua")
  write(dir .. "/API.md", (M.markdown(api)))
  write(dir .. "/meta.lua", M.meta(api))
end

return M
