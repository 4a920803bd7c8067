return {
  name = "book_slot",
  description = "Books one of the times offered.",
  parameters = {
    slot_id = { type = "string", description = "id of the time" },
    name = { type = "string", description = "of the patient" },
  },
  effect = "commit",
  run = function(call, args)
    if args.slot_id ~= "s1" and args.slot_id ~= "s2" then
      return nil, "no such slot"
    end
    return { ok = true, slot_id = args.slot_id }
  end,
}
