return {
  name = "find_slots",
  description = "Free times for a service.",
  parameters = {
    service = { type = "string", description = "checkup or cleaning" },
    date = { type = "string", format = "date", description = "from this day on" },
  },
  effect = "read",
  run = function(call, args)
    return {
      slots = {
        { id = "s1", label = "Tuesday at nine thirty" },
        { id = "s2", label = "Wednesday at two" },
      },
    }
  end,
}
