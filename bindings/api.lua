-- The script API as data: the manual (API.md), the editor's stubs (meta.lua)
-- and their tests come from here. After a change: luajit bindings/gen_api.lua
--
-- An entry: name, about, and
--   phases   where it may be called: "any" inside a call, "act" (not after
--            hang-up), "wait" (where a task can wait), "everywhere" (load too)
--   params   { name, type, about [, optional = true] }
--   returns  as written in the manual; failure is nil, message, code
--   errors   what raises, beside wrong arguments
--   example  is run by the tests as the body of on_start(call)

local FAIL = "nil, message, code"

local phases = {
  any = "inside a call, after hang-up too",
  act = "inside a call, until hang-up (then it raises \"call is over\")",
  wait = "where a task can wait: on_start, on_turn, on_dtmf, on_silence, a tool's run; "
    .. "until hang-up. Not in instructions, not inside a coroutine of the script's own, "
    .. "not in a callback of sort or gsub",
  everywhere = "everywhere, also in the body of a file",
}

local events = {
  { name = "on_start", args = "call", about = "The caller is there. Without it the clinic's "
    .. "`greeting` is said, or the model begins." },
  { name = "on_turn", args = "call, turn", about = "The caller has said something. Return `true` "
    .. "when it is handled; anything else lets the model answer. An error speaks the stored "
    .. "apology. When the next turn comes, one that still waits is ended." },
  { name = "on_tool", args = "call, name, args", about = "Before a tool runs, in the tool's own "
    .. "time. A result (or `nil, why`) takes the place of the tool's; nothing lets it run." },
  { name = "on_dtmf", args = "call, key", about = "A key was pressed: `0`-`9`, `*`, `#`, "
    .. "`A`-`D`." },
  { name = "on_silence", args = "call, nth", about = "Nobody has spoken for `limits.idle_ms`, for "
    .. "the nth time in a row. Without it the host says its own line." },
  { name = "on_hangup", args = "call, reason", about = "The call is over: look and log, nothing "
    .. "can be said and nothing can wait. Tools that still wait are ended." },
}

local turn = {
  { "text", "string", "what the caller said" },
  { "language", "string?", "as the ear understood it" },
  { "confidence", "number", "0 to 1" },
  { "words", "table[]", "{ text, start_s, end_s, confidence }" },
  { "interrupted", "boolean", "said over our last words" },
  { "heard", "string?", "our last words, as far as they were heard" },
  { "typed", "boolean", "by chat, not by voice" },
}

local fields = {
  { "id", "string", "of the call, as in the logs" },
  { "room", "string", "LiveKit's name of the room" },
  { "caller", "string", "the caller's number, \"\" when unknown" },
  { "number_called", "string", "the number that was called, \"\" when unknown" },
  { "language", "string", "tag of the language that is spoken now" },
  { "elapsed_ms", "number", "since the call began" },
  { "clinic", "table", "what clinic.lua returned" },
  { "state", "table", "the script's own memory of this call" },
  { "metadata", "table|string", "of the job: a table when it is a JSON object" },
  { "history", "table[]", "the conversation so far: { role, content }, a copy" },
}

local say_options = "{ language = tag, interruptible = boolean, remember = boolean }: another "
  .. "language of the clinic; false: the caller cannot cut it short; false: the model's history "
  .. "does not get it"

local groups = {
  {
    name = "call",
    title = "The call",
    about = "Every function of a policy and every tool gets the call. Its methods are called "
      .. "with a colon.",
    entries = {
      { name = "call:say", phases = "act", returns = "true | " .. FAIL,
        params = { { "text", "string", "plain text, at most 4,000 bytes" },
          { "options", "table", say_options, optional = true } },
        about = "Says a text after what is queued already, and goes on at once.",
        errors = "an empty text, an unknown option",
        example = [[
call:say("One moment, please.", { remember = false })]] },
      { name = "call:say_wait", phases = "wait", returns = "true | nil, message, code, heard",
        params = { { "text", "string", "plain text, at most 4,000 bytes" },
          { "options", "table", say_options, optional = true } },
        about = "Says a text and waits until it is over. Cut short by the caller it returns nil, "
          .. "\"cut short\", \"ECANCELED\" and the words that were heard. Inside a tool the time "
          .. "does not count against the tool's limit.",
        errors = "as call:say; where nothing can wait",
        example = [[
local whole, why, code, heard = call:say_wait("We have Tuesday at nine.")
if not whole then
  log.info("offer.cut", { code = log.public(code), heard = heard })
end]] },
      { name = "call:say_line", phases = "act", returns = "true | " .. FAIL,
        params = {
          { "name", "string", "\"apology\", \"goodbye\", \"filler\", \"emergency\", ..." },
        },
        about = "Says a line that is stored as sound: it needs no provider.",
        example = [[
call:say_line("filler")]] },
      { name = "call:reply", phases = "act", returns = "nothing",
        params = { { "extra", "string", "an instruction for this once", optional = true } },
        about = "Lets the model answer now.",
        example = [[
call:reply("Offer the two earliest times again.")]] },
      { name = "call:hangup", phases = "act", returns = "nothing",
        params = { { "reason", "string", "a constant for the logs", optional = true } },
        about = "Hangs up when what is queued has been heard.",
        example = [[
call:say("Goodbye.", { interruptible = false })
call:hangup("goodbye")]] },
      { name = "call:transfer", phases = "wait", returns = "true | nil, message, code, sip_status",
        params = { { "to", "string", "a number with + and country code, or a SIP address" } },
        about = "Transfers the phone leg when what is queued has been heard, and waits for the "
          .. "phone's answer (a busy line is sip_status 486). After true the call ends; after a "
          .. "failure it goes on. Time in it does not count against a tool's limit.",
        errors = "a number without +; where nothing can wait",
        example = [[
local ok, why, code, sip = call:transfer("+922135550101")
if not ok then
  call:say("Nobody can take the call right now.")
end]] },
      { name = "call:set_language", phases = "act", returns = "true | " .. FAIL,
        params = { { "tag", "string", "a tag of the clinic's languages" } },
        about = "The ear changes at once, the voice with what is said next.",
        example = [[
if not call:set_language("ur") then
  log.warn("language.missing")
end]] },
      { name = "call:await", phases = "act", returns = "nothing",
        params = { { "what", "string", "\"any\", \"short\", \"digits\" or \"long\"" },
          { "digits", "integer", "how many a number has: it ends at its last one", optional = true } },
        about = "What kind of answer the next turn is: digits get more patience, a short one less.",
        errors = "digits without \"digits\", or not 1 to 32",
        example = [[
call:say("What is your telephone number?")
call:await("digits", 11)]] },
      { name = "call:send_dtmf", phases = "act", returns = "true | " .. FAIL,
        params = { { "keys", "string", "1 to 64 of 0-9 * # A-D" } },
        about = "Sends key tones to the other side.",
        example = [[
call:send_dtmf("12#")]] },
      { name = "call:attribute", phases = "any", returns = "string | nil",
        params = { { "key", "string", "LiveKit's name, like \"sip.trunkID\"" } },
        about = "An attribute of the caller's participant.",
        example = [[
local trunk = call:attribute("sip.trunkID")
if trunk then
  log.info("trunk", { id = log.public(trunk) })
end]] },
      { name = "call:set_attribute", phases = "act", returns = "nothing",
        params = { { "key", "string", "name" }, { "value", "string", "text" } },
        about = "Sets an attribute of our own participant, for whoever watches the room.",
        example = [[
call:set_attribute("clinic.step", "booking")]] },
    },
  },
  {
    name = "log",
    title = "Logging",
    about = "Events, not sentences: a constant name of lower case letters, digits, `_` and `.`, "
      .. "and up to 16 fields. Texts count as personal and are logged as length and hash; numbers "
      .. "and booleans are logged as they are.",
    entries = {
      { name = "log.info", phases = "everywhere", returns = "nothing",
        params = { { "name", "string", "constant, at most 48 bytes" },
          { "fields", "table", "values by name", optional = true } },
        about = "Something happened.",
        errors = "a name with blanks or capitals in it",
        example = [[
log.info("slots.offered", { count = 3 })]] },
      { name = "log.warn", phases = "everywhere", returns = "nothing",
        params = { { "name", "string", "constant, at most 48 bytes" },
          { "fields", "table", "values by name", optional = true } },
        about = "Something that staff should look at.",
        example = [[
log.warn("message.taken", { phone = call.caller })]] },
      { name = "log.error", phases = "everywhere", returns = "nothing",
        params = { { "name", "string", "constant, at most 48 bytes" },
          { "fields", "table", "values by name", optional = true } },
        about = "Something that is broken.",
        example = [[
log.error("front_desk.missing")]] },
      { name = "log.public", phases = "everywhere", returns = "a value for a field",
        params = { { "text", "string", "at most 200 bytes" } },
        about = "Vouches that a text is not personal, so that it is logged in clear.",
        example = [[
log.info("transfer", { reason = log.public("asked") })]] },
    },
  },
  {
    name = "time",
    title = "Time",
    about = "`os.time`, `os.date` and `os.clock` are all that there is of `os`. Civil time is that "
      .. "of the clinic's zone.",
    entries = {
      { name = "now", phases = "any", returns = "milliseconds",
        params = {},
        about = "Milliseconds since the call began, on the clock of the host (virtual in tests).",
        example = [[
local from = now()
log.info("took", { ms = now() - from })]] },
      { name = "sleep", phases = "wait", returns = "nothing",
        params = { { "ms", "number", "0 to 600,000" } },
        about = "Waits. Hang-up ends it.",
        errors = "where nothing can wait",
        example = [[
sleep(500)]] },
      { name = "os.time", phases = "everywhere", returns = "seconds since 1970",
        params = {
          { "date", "table", "{ year, month, day [, hour, min, sec] } in the clinic's zone",
            optional = true },
        },
        about = "The present moment, or that of a civil time; fields may be out of range.",
        example = [[
local tomorrow = os.time({ year = 2026, month = 11, day = 23 + 1 })
log.info("tomorrow", { at = tomorrow })]] },
      { name = "os.date", phases = "everywhere", returns = "string | table",
        params = {
          { "format", "string", "as strftime, or \"*t\"; ! in front: UTC", optional = true },
          { "time", "number", "a moment; now when left out", optional = true },
        },
        about = "A moment in the clinic's zone.",
        example = [[
local d = os.date("*t")
call:say("It is " .. os.date("%H:%M") .. " on day " .. d.day)]] },
      { name = "os.clock", phases = "everywhere", returns = "seconds",
        params = {},
        about = "Processor time that this run has used; 20 ms end it.",
        example = [[
log.info("used", { ms = os.clock() * 1000 })]] },
    },
  },
  {
    name = "json",
    title = "JSON",
    about = "`json.null` stands for null inside arrays; in objects null reads as absent. An empty "
      .. "table is written as {} unless json.array() marked it.",
    entries = {
      { name = "json.encode", phases = "everywhere", returns = "string",
        params = { { "value", "any", "no functions, at most 32 deep, 10,000 values, 256 KiB" } },
        about = "Text with the members of objects in order of their names.",
        errors = "what JSON does not have, or too much of it",
        example = [[
assert(json.encode({ b = 1, a = { 1, 2 } }) == '{"a":[1,2],"b":1}')]] },
      { name = "json.decode", phases = "everywhere", returns = "value | " .. FAIL,
        params = { { "text", "string", "at most 256 KiB" } },
        about = "The value of a text.",
        example = [[
local v, why = json.decode('{"n": [1, null]}')
assert(v.n[2] == json.null)]] },
      { name = "json.array", phases = "everywhere", returns = "the table",
        params = { { "table", "table", "a new one when left out", optional = true } },
        about = "Marks a table as an array, so that it is [] when empty.",
        example = [[
assert(json.encode({ slots = json.array() }) == '{"slots":[]}')]] },
    },
  },
  {
    name = "host",
    title = "The host",
    about = "`host` is read-only: `host.clinic` (what clinic.lua returned), `host.name` (the "
      .. "clinic's folder), `host.bundle` (hash of its content), `host.version`.",
    entries = {
      { name = "host.diary.take", phases = "any", returns = "true | " .. FAIL,
        params = { { "slot", "string", "a name that all calls agree on" },
          { "owner", "string", "who takes it" },
          { "till", "number", "moment after which it is free again" } },
        about = "Takes a slot for all calls of this clinic in this process; first come, first "
          .. "served. Again by the same owner: true. Taken by another: EEXIST. The diary is in "
          .. "memory only, gone at exit and unknown to other processes; it stands in until "
          .. "bookings are rows of the store.",
        example = [[
local ok, why, code = host.diary.take("khan/2026-11-24T09:30", call.id, os.time() + 3600)
if not ok then
  call:say("That time has just been taken.")
end]] },
      { name = "host.diary.holder", phases = "any", returns = "owner | nil",
        params = { { "slot", "string", "its name" } },
        about = "Who has a slot now.",
        example = [[
if host.diary.holder("khan/2026-11-24T10:00") then
  log.info("slot.taken")
end]] },
      { name = "host.diary.release", phases = "any", returns = "boolean",
        params = { { "slot", "string", "its name" }, { "owner", "string", "who had it" } },
        about = "Gives a slot back; false when the owner did not have it.",
        example = [[
host.diary.release("khan/2026-11-24T10:00", call.id)]] },
      { name = "require", phases = "everywhere", returns = "what the module returned",
        params = {
          { "module", "string", "\"menu\" is menu.lua, \"flows.booking\" is flows/booking.lua" },
        },
        about = "A module of the clinic's folder or a shipped one (`speak`, `schedule`). It runs "
          .. "once a call and reads no file.",
        errors = "an unknown module, one that requires itself, an error in it",
        example = [[
local speak = require("speak")
call:say(speak.moment(os.time()))]] },
    },
  },
}

local clinic = {
  { "title", "the clinic's name as spoken" },
  { "zone", "time zone, like \"Asia/Karachi\"" },
  { "languages", "at least one; the first is the default" },
  { "languages[].tag", "BCP-47, like \"en\"" },
  { "languages[].stt", "the ears, at least one, in order of preference" },
  { "languages[].stt[].provider",
    "who: \"deepgram\", \"openai\", \"aura\", \"aura-rest\", \"speech\"" },
  { "languages[].stt[].model", "the provider's name of the model" },
  { "languages[].stt[].voice", "of \"speech\"" },
  { "languages[].stt[].language", "BCP-47 or \"multi\"; else the tag" },
  { "languages[].stt[].effort", "reasoning effort of a language model" },
  { "languages[].stt[].keyterms", "words the ear should know" },
  { "languages[].tts", "the voices, at least one, in order of preference" },
  { "llm", "language models in order of preference" },
  { "greeting", "the first words of a call" },
  { "phone", "the clinic's number, spoken" },
  { "address", "spoken" },
  { "numbers", "numbers that callers dial" },
  { "front_desk", "a person's number (+92...) or SIP address" },
  { "hours", "of the clinic" },
  { "hours.mon", "spans, closed when absent" },
  { "hours.tue", "spans, closed when absent" },
  { "hours.wed", "spans, closed when absent" },
  { "hours.thu", "spans, closed when absent" },
  { "hours.fri", "spans, closed when absent" },
  { "hours.sat", "spans, closed when absent" },
  { "hours.sun", "spans, closed when absent" },
  { "holidays", "dates like \"2026-12-25\"" },
  { "people", "practitioners" },
  { "people[].id", "short and stable, like \"khan\"" },
  { "people[].name", "spoken, like \"Dr Khan\"" },
  { "people[].role", "spoken, like \"dentist\"" },
  { "people[].services", "ids of services; all when absent" },
  { "people[].hours", "within the clinic's hours" },
  { "services", "what is done" },
  { "services[].id", "short and stable, like \"checkup\"" },
  { "services[].name", "spoken, like \"check-up\"" },
  { "services[].minutes", "how long it takes" },
  { "services[].price", "spoken, like \"3,000 rupees\"" },
  { "services[].about", "one sentence for the model" },
  { "chairs", "rooms or chairs" },
  { "chairs[].id", "short and stable" },
  { "chairs[].name", "for people" },
  { "limits", "times" },
  { "limits.longest_call_s", "then we say goodbye; 1,800" },
  { "limits.idle_ms", "silence before on_silence; 8,000" },
  { "limits.idle_times", "then we hang up; 3" },
  { "limits.endpointing_ms", "silence before any turn ends; else the ear judges" },
  { "limits.tool_ms", "limit of one tool; 8,000" },
  { "interruptible", "callers may talk over us; true" },
  { "needs", "settings that must be there in production" },
  { "needs.supabase", "its settings must be there; true" },
  { "needs.openai", "its key must be there; true" },
  { "needs.deepgram", "its key must be there; true" },
  { "config", "whatever the scripts like" },
}

return {
  since = "0.1",
  phases = phases,
  events = events,
  turn = turn,
  fields = fields,
  groups = groups,
  clinic = clinic,
}
