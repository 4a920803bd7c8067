return {
  name = "end_call",
  description = "Hangs up, when all has been said.",
  parameters = {},
  effect = "read",
  run = function(call, args)
    call:hangup("done")
    return { ok = true }
  end,
}
