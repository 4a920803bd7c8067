/* The schema of clinic.lua, as data. */
#include "bindings/clinic_int.h"

#include <limits.h>
#include <stddef.h>

static const struct clinic_field choice_fields[] = {
	{ "provider", FIELD_TEXT, true, .about = "who: \"deepgram\", \"openai\", "
	  "\"aura\", \"aura-rest\", \"speech\"" },
	{ "model", FIELD_TEXT, true, .about = "the provider's name of the model" },
	{ "voice", FIELD_TEXT, .about = "of \"speech\"" },
	{ "language", FIELD_TEXT, .about = "BCP-47 or \"multi\"; else the tag" },
	{ "effort", FIELD_TEXT, .about = "reasoning effort of a language model" },
	{ "keyterms", FIELD_TEXTS, .about = "words the ear should know" },
	{ 0 }
};

static const struct clinic_field language_fields[] = {
	{ "tag", FIELD_TEXT, true, .about = "BCP-47, like \"en\"" },
	{ "stt", FIELD_LIST, true, 1, .sub = choice_fields,
	  .about = "the ears, at least one, in order of preference" },
	{ "tts", FIELD_LIST, true, 1, .sub = choice_fields,
	  .about = "the voices, at least one, in order of preference" },
	{ 0 }
};

static const struct clinic_field hours_fields[] = {
	{ "mon", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "tue", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "wed", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "thu", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "fri", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "sat", FIELD_SPANS, .about = "spans, closed when absent" },
	{ "sun", FIELD_SPANS, .about = "spans, closed when absent" },
	{ 0 }
};

static const struct clinic_field person_fields[] = {
	{ "id", FIELD_TEXT, true, .about = "short and stable, like \"khan\"" },
	{ "name", FIELD_TEXT, true, .about = "spoken, like \"Dr Khan\"" },
	{ "role", FIELD_TEXT, .about = "spoken, like \"dentist\"" },
	{ "services", FIELD_TEXTS, .about = "ids of services; all when absent" },
	{ "hours", FIELD_TABLE, .sub = hours_fields,
	  .about = "within the clinic's hours" },
	{ 0 }
};

static const struct clinic_field service_fields[] = {
	{ "id", FIELD_TEXT, true, .about = "short and stable, like \"checkup\"" },
	{ "name", FIELD_TEXT, true, .about = "spoken, like \"check-up\"" },
	{ "minutes", FIELD_NUMBER, true, 5, 480, .about = "how long it takes" },
	{ "price", FIELD_TEXT, .about = "spoken, like \"3,000 rupees\"" },
	{ "about", FIELD_TEXT, .about = "one sentence for the model" },
	{ 0 }
};

static const struct clinic_field chair_fields[] = {
	{ "id", FIELD_TEXT, true, .about = "short and stable" },
	{ "name", FIELD_TEXT, .about = "for people" },
	{ 0 }
};

static const struct clinic_field limits_fields[] = {
	{ "longest_call_s", FIELD_NUMBER, false, 30, 14400,
	  .about = "then we say goodbye; 1,800" },
	{ "idle_ms", FIELD_NUMBER, false, 2000, 60000,
	  .about = "silence before on_silence; 8,000" },
	{ "idle_times", FIELD_NUMBER, false, 1, 20,
	  .about = "then we hang up; 3" },
	{ "endpointing_ms", FIELD_NUMBER, false, 100, 3000,
	  .about = "silence before any turn ends; else the ear judges" },
	{ "tool_ms", FIELD_NUMBER, false, 500, 60000,
	  .about = "limit of one tool; 8,000" },
	{ 0 }
};

static const struct clinic_field needs_fields[] = {
	{ "supabase", FIELD_BOOL, .about = "its settings must be there; true" },
	{ "openai", FIELD_BOOL, .about = "its key must be there; true" },
	{ "deepgram", FIELD_BOOL, .about = "its key must be there; true" },
	{ 0 }
};

const struct clinic_field clinic_fields[] = {
	{ "title", FIELD_TEXT, true, .about = "the clinic's name as spoken" },
	{ "zone", FIELD_TEXT, true, .about = "time zone, like \"Asia/Karachi\"" },
	{ "languages", FIELD_LIST, true, 1, .sub = language_fields,
	  .about = "at least one; the first is the default" },
	{ "llm", FIELD_LIST, .sub = choice_fields,
	  .about = "language models in order of preference" },
	{ "greeting", FIELD_TEXT, .about = "the first words of a call" },
	{ "phone", FIELD_TEXT, .about = "the clinic's number, spoken" },
	{ "address", FIELD_TEXT, .about = "spoken" },
	{ "numbers", FIELD_TEXTS, .about = "numbers that callers dial" },
	{ "front_desk", FIELD_TEXT,
	  .about = "a person's number (+92...) or SIP address" },
	{ "hours", FIELD_TABLE, .sub = hours_fields, .about = "of the clinic" },
	{ "holidays", FIELD_TEXTS, .about = "dates like \"2026-12-25\"" },
	{ "people", FIELD_LIST, .sub = person_fields, .about = "practitioners" },
	{ "services", FIELD_LIST, .sub = service_fields, .about = "what is done" },
	{ "chairs", FIELD_LIST, .sub = chair_fields, .about = "rooms or chairs" },
	{ "limits", FIELD_TABLE, .sub = limits_fields, .about = "times" },
	{ "interruptible", FIELD_BOOL, .about = "callers may talk over us; true" },
	{ "needs", FIELD_TABLE, .sub = needs_fields,
	  .about = "settings that must be there in production" },
	{ "config", FIELD_ANY, .about = "whatever the scripts like" },
	{ 0 }
};
