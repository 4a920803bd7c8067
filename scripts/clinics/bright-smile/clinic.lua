-- Bright Smile Dental, the reference clinic: data only.
return {
  title = "Bright Smile Dental",
  zone = "Asia/Karachi",
  phone = "+92 21 3555 0100",
  address = "14 Zamzama Boulevard, Clifton, Karachi",
  front_desk = "+922135550101",
  greeting = "Thank you for calling Bright Smile Dental. How can I help you?",

  languages = {
    {
      tag = "en",
      stt = {
        {
          provider = "deepgram", model = "nova-3", language = "en",
          keyterms = { "Bright Smile", "Dr Khan", "Dr Siddiqui", "root canal", "scaling" },
        },
      },
      tts = {
        { provider = "aura", model = "aura-2-thalia-en" },
        { provider = "aura-rest", model = "aura-2-thalia-en" },
      },
    },
    {
      tag = "ur",
      stt = { { provider = "deepgram", model = "nova-3", language = "ur" } },
      -- Aura has no Urdu voice: a server of ours with OpenAI's /audio/speech
      -- (SPEECH_BASE_URL), here one that runs Piper.
      tts = { { provider = "speech", model = "piper", voice = "ur_PK-fasih-medium" } },
    },
  },

  llm = {
    { provider = "openai", model = "gpt-6-luna", effort = "none" },
    { provider = "openai", model = "gpt-6.1-terra" },
  },

  hours = {
    mon = { "09:00-17:00" },
    tue = { "09:00-17:00" },
    wed = { "09:00-17:00" },
    thu = { "09:00-17:00" },
    fri = { "09:00-17:00" },
    sat = { "10:00-14:00" },
  },
  holidays = { "2026-12-25", "2027-02-05", "2027-03-23" },

  services = {
    { id = "checkup", name = "check-up", minutes = 30, price = "2,500 rupees",
      about = "An examination with advice; also for any pain that is not an emergency." },
    { id = "cleaning", name = "scaling and polishing", minutes = 45, price = "6,000 rupees" },
    { id = "filling", name = "filling", minutes = 45, price = "from 5,000 rupees" },
    { id = "root_canal", name = "root canal treatment", minutes = 90,
      price = "from 25,000 rupees" },
  },

  people = {
    { id = "khan", name = "Dr Khan", role = "dentist" },
    { id = "siddiqui", name = "Dr Siddiqui", role = "dentist and endodontist",
      hours = {
        mon = { "09:00-17:00" }, wed = { "09:00-17:00" }, thu = { "12:00-17:00" },
        sat = { "10:00-14:00" },
      } },
  },

  limits = { tool_ms = 8000, idle_ms = 8000, idle_times = 3 },
  needs = { supabase = false },

  config = { goodbye = "Thank you for calling Bright Smile Dental. Goodbye." },
}
