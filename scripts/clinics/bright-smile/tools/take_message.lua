return {
  name = "take_message",
  description = "Notes a message for the staff, who will call back.",
  effect = "read",
  parameters = {
    name = { type = "string", max_length = 80, description = "the caller's name" },
    phone = { type = "string", format = "phone", description = "number to call back" },
    message = { type = "string", max_length = 500, description = "what it is about" },
    urgent = { type = "boolean", optional = true, description = "should staff call back today?" },
  },
  run = function(call, args)
    log.warn("message.taken", {
      name = args.name, phone = args.phone, message = args.message,
      urgent = args.urgent == true,
    })
    call.state.messages = (call.state.messages or 0) + 1
    return { noted = true }
  end,
}
