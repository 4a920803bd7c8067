return {
  name = "transfer_to_person",
  description = "Connects the caller to a person.",
  effect = "commit",
  parameters = {},
  run = function(call)
    local ok, why = call:transfer(host.clinic.front_desk)
    if ok then
      return { transferred = true }
    end
    return nil, why
  end,
}
