-- For measurements: its voice is a server with OpenAI's /audio/speech.
return {
  title = "Garden Street Dental",
  zone = "Europe/London",
  greeting = "Thank you for calling Garden Street Dental. How can I help you?",
  languages = {
    {
      tag = "en",
      stt = { { provider = "deepgram", model = "nova-3" } },
      tts = { { provider = "speech", model = "standin", voice = "alloy" } },
    },
  },
  llm = { { provider = "openai", model = "gpt-6-luna", effort = "none" } },
  limits = { idle_ms = 6000 },
  needs = { supabase = false },
}
