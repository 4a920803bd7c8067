-- The clinic of the integration tests: fixed words, no database.
return {
  front_desk = "+15550199",
  title = "Garden Street Dental",
  zone = "Europe/London",
  greeting = "Thank you for calling Garden Street Dental. How can I help you?",
  languages = {
    {
      tag = "en",
      stt = { { provider = "deepgram", model = "nova-3" } },
      tts = {
        { provider = "aura", model = "aura-2-thalia-en" },
        { provider = "aura-rest", model = "aura-2-thalia-en" },
      },
    },
  },
  llm = { { provider = "openai", model = "gpt-6-luna", effort = "none" } },
  limits = { idle_ms = 6000 },
  needs = { supabase = false },
}
