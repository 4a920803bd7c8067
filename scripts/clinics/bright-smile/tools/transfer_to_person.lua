local clinic = host.clinic

return {
  name = "transfer_to_person",
  description = "Connects the caller to a person at the front desk: in an emergency, "
    .. "or when the caller asks for a person. Say first that you connect them.",
  effect = "commit",
  parameters = {
    reason = { type = "string", enum = { "emergency", "asked", "other" },
      description = "why" },
  },
  run = function(call, args)
    log.info("transfer", { reason = log.public(args.reason) })
    local ok, why, code = call:transfer(clinic.front_desk)
    if ok then
      return { transferred = true }
    end
    log.warn("transfer.failed", { code = log.public(code) })
    local next_step = "say that nobody can take the call and offer to take a message"
    if args.reason == "emergency" then
      next_step = "tell the caller to go to the nearest emergency room or call 1122 now"
    end
    return nil, why .. "; " .. next_step
  end,
}
