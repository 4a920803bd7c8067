return {
  name = "end_call",
  description = "Says goodbye and hangs up. Only when the caller is done. Say nothing after it.",
  effect = "commit",
  run = function(call)
    call:say(host.clinic.config.goodbye, { interruptible = false })
    call:hangup("goodbye")
    return { ended = true }
  end,
}
