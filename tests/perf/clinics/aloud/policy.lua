local policy = {}

policy.instructions = "You answer the phone of a dental clinic. Be brief."

return policy
