-- The smallest clinic: it needs no language model, only an ear and a voice.
return {
  title = "Hello Clinic",
  zone = "UTC",
  greeting = "Hello, this is Hello Clinic. Say hours, address, or goodbye.",
  languages = {
    {
      tag = "en",
      stt = { { provider = "deepgram", model = "nova-3" } },
      tts = { { provider = "aura", model = "aura-2-thalia-en" } },
    },
  },
  needs = { supabase = false, openai = false },
}
