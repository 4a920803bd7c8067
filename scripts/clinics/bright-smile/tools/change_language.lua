local clinic = host.clinic

local function tags()
  local out = {}
  for i, language in ipairs(clinic.languages) do
    out[i] = language.tag
  end
  return out
end

return {
  name = "change_language",
  description = "Listens and speaks in another language from now on: when the caller asks for it, "
    .. "or what you read looks like another language misheard. Then answer in that language.",
  effect = "hold",
  parameters = {
    language = { type = "string", enum = tags(), description = "en is English, ur is Urdu" },
  },
  run = function(call, args)
    local ok, why = call:set_language(args.language)
    if not ok then
      return nil, why
    end
    return { language = args.language }
  end,
}
