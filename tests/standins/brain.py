"""The model's brain: a small table of rules for a clinic's receptionist.

Works on whatever tools the request offers (matched by name, arguments filled
from their JSON Schema) and puts their results into its words, so that a test
can tell a result that was used from one that was lost.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass
class Reply:
    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments
    finish: str | None = None


STORY = ("We are a family practice in the old town, and we have been here for thirty years. "
         "Our team has four dentists and two hygienists. We see adults and children. "
         "We offer cleanings, fillings, crowns and whitening. Most visits take half an hour. "
         "The waiting room has a fish tank that children love. Is there anything else?")

# What the caller says, what is answered; the first that matches.
TALK = (
    (r"\b(everything|story)\b", STORY),
    (r"\b(hours|open)\b", "We are open Monday to Friday from eight to five."),
    (r"\b(whitening|cost|price|much)\b", "Whitening costs one hundred and ninety dollars."),
    (r"\b(where|address)\b", "The clinic is at twelve Garden Street."),
    (r"\binsurance\b", "Yes, we accept most insurance plans."),
    (r"\bchildren\b", "Yes, we treat children of all ages."),
    (r"\b(emergency|bleeding)\b", "Please come in right away, we keep a chair for emergencies."),
    (r"\b(hurts|pain|filling)\b", "I am sorry to hear that. Would you like to come in today?"),
    (r"\bstill there\b", "Yes, I am here. How can I help?"),
    (r"\b(wait|hold on)\b", "Of course, take your time."),
    (r"\b(stop|not what i meant)\b", "Sorry about that. What would you like instead?"),
    (r"\banother question\b", "Sure, what is your question?"),
    (r"\bmy name is\b", "Thank you. What is your phone number?"),
    (r"\b(number|five|zero)\b", "Thank you, I have your number."),
    (r"\b(bye|goodbye|that is all|nothing else)\b", "Thank you for calling. Goodbye."),
    (r"\bthank", "You are welcome. Anything else?"),
    (r"\b(hello|hi|good morning)\b", "Hello! How can I help you?"),
    (r"\byes\b", "Great."),
    (r"\bno\b", "All right. Anything else I can do?"),
)

# What the caller wants, and the tools that can do it.
WANTS = (
    (r"\bcheck the hours\b", ("hours", "slots")),
    (r"\b(person|human|transfer)\b", ("transfer",)),
    (r"\b(bye|goodbye|that is all)\b", ("end",)),
    (r"\b(first|second|third|morning would)\b", ("book",)),
    (r"\bcancel my\b", ("cancel",)),
    (r"\b(book|appointment|cleaning|afternoon|visit|free time)\b", ("slots",)),
    (r"\b(hours|open)\b", ("hours",)),
)
TOOLS = {  # the first that matches a name says what the tool is for
    "end": r"end_?call|hang_?up|goodbye",
    "transfer": r"transfer|human|person|staff|operator",
    "cancel": r"cancel",
    "hours": r"hours|opening|clinic_info",
    "slots": r"(find|list|check|search|get|free).*(slot|time|appoint|avail)|slots|avail",
    "book": r"book|reserve|confirm|schedule",
}


def text_of(content) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(p.get("text", "") for p in content if isinstance(p, dict))
    return ""


def purpose(name: str) -> str | None:
    for what, pattern in TOOLS.items():
        if re.search(pattern, name.lower()):
            return what
    return None


def find_tool(tools: list[dict], want: str) -> dict | None:
    return next((t for t in tools if purpose(t["name"]) == want), None)


# ---- arguments -------------------------------------------------------------------


def _value(name: str, schema: dict, words: str, slot: dict) -> object:
    """A plausible argument: from the chosen slot, the caller's words, the schema."""
    if name in slot:
        return slot[name]
    if "enum" in schema:
        said = [e for e in schema["enum"] if str(e).lower() in words]
        return said[0] if said else schema["enum"][0]
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind == "object":
        return arguments(schema, words, slot)
    if kind == "array":
        return []
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return True
    return _string(name.lower(), words, slot)


def _string(name: str, words: str, slot: dict) -> str:
    if "slot" in name or name in ("id", "time", "start"):
        for key in ("slot_id", "id", "slot", "start", "time"):
            if key in slot:
                return str(slot[key])
        return "09:00"
    if "phone" in name or "number" in name:
        return "+15550123"
    if "name" in name:
        said = re.search(r"my name is ([a-z]+(?: [a-z]+)?)", words)
        return said.group(1).title() if said else "Anna Smith"
    if "date" in name or "day" in name or name in ("from", "to", "after"):
        return (date.today() + timedelta(days=1)).isoformat()
    if "service" in name or "reason" in name or "treatment" in name:
        return "cleaning" if "cleaning" in words else "checkup"
    return words[:60]


def arguments(schema: dict, words: str, slot: dict) -> dict:
    props = schema.get("properties", {})
    need = schema.get("required", [])
    wanted = [k for k in props if k in need or k in slot]
    return {k: _value(k, props[k], words, slot) for k in wanted}


# ---- results -----------------------------------------------------------------------


def _parse(content) -> object:
    try:
        return json.loads(text_of(content))
    except ValueError:
        return text_of(content)


def slots_in(result: object) -> list[dict]:
    """The list of slots in a tool's result, wherever it is."""
    if isinstance(result, dict):
        for value in result.values():
            found = slots_in(value)
            if found:
                return found
    if isinstance(result, list) and result:
        if all(isinstance(x, dict) for x in result):
            return result
        if all(isinstance(x, str) for x in result):
            return [{"slot": x, "label": x} for x in result]
    return []


def label(slot: dict) -> str:
    for key in ("label", "spoken", "say", "text", "time", "start", "slot"):
        if slot.get(key):
            return str(slot[key])
    return ", ".join(str(v) for v in slot.values())


def _failed(result: object) -> str | None:
    if isinstance(result, dict):
        if result.get("error"):
            return str(result["error"])
        if result.get("ok") is False or result.get("booked") is False:
            return str(result.get("reason") or result.get("message") or "it did not work")
    return None


def _flat(result: object) -> str:
    if isinstance(result, dict):
        for key in ("say", "message", "text", "label", "summary", "confirmation", "start", "time"):
            if isinstance(result.get(key), str):
                return result[key]
        return ", ".join(f"{k} {_flat(v)}" for k, v in result.items())
    if isinstance(result, list):
        return ", ".join(_flat(x) for x in result)
    return str(result)


def _use(name: str, result: object, slot: dict) -> str:
    why = _failed(result)
    if why:
        return f"I am sorry, that did not work: {why}."
    if purpose(name) == "slots":
        slots = slots_in(result)
        if not slots:
            return "I am sorry, there is nothing free."
        return f"I have {' or '.join(label(s) for s in slots[:2])}. Which one suits you?"
    if purpose(name) == "book":
        when = label(slot) if slot else _flat(result)
        return f"You are booked for {when}."
    if purpose(name) in ("end", "transfer"):
        return ""
    hours = result.get("hours") if isinstance(result, dict) else None
    if isinstance(hours, list) and hours:
        return f"We are open {', and '.join(str(h) for h in hours)}."
    return f"Here it is: {_flat(result)}."


# ---- one turn ------------------------------------------------------------------------


class History:
    """What the messages tell: last words, open results, slots offered, choice."""

    def __init__(self, messages: list[dict]):
        self.words, self.slots, self.names = "", [], {}
        self.results: list[tuple[str, object]] = []
        self.said: list[str] = []
        for m in messages:
            if m.get("role") == "user":
                self.words, self.results = text_of(m.get("content")).lower(), []
                self.said.append(self.words)
            for c in m.get("tool_calls") or []:
                self.names[c["id"]] = c["function"]["name"]
            if m.get("role") == "assistant" and not m.get("tool_calls"):
                self.results = []
            if m.get("role") == "tool":
                result = _parse(m.get("content"))
                name = self.names.get(m.get("tool_call_id"), "")
                self.results.append((name, result))
                if purpose(name) == "slots":
                    self.slots = slots_in(result) or self.slots

    def choice(self) -> dict:
        if not self.slots:
            return {}
        said = " ".join(self.said[-3:])
        at = 1 if "second" in said else 2 if "third" in said else 0
        slot = dict(self.slots[min(at, len(self.slots) - 1)])
        if "id" in slot:
            slot.setdefault("slot_id", slot["id"])
        return slot


def think(messages: list[dict], tools: list[dict]) -> Reply:
    h = History(messages)
    if h.results:
        told = [_use(name, result, h.choice()) for name, result in h.results]
        return Reply(" ".join(t for t in told if t))
    if not h.words:
        return Reply("Hello, how can I help you?")
    for pattern, wants in WANTS:
        if not re.search(pattern, h.words):
            continue
        found = [(w, t) for w in wants if (t := find_tool(tools, w))]
        if wants == ("book",) and not h.slots:
            continue
        if found:
            everything = " ".join(h.said)
            calls = []
            for want, t in found:
                slot = h.choice() if want == "book" else {}
                schema = t.get("parameters") or {}
                calls.append((t["name"], json.dumps(arguments(schema, everything, slot))))
            before = "Goodbye, and thank you for calling." if wants == ("end",) else ""
            return Reply(before, calls)
    return Reply(_talk(h.words))


def _talk(words: str) -> str:
    for pattern, answer in TALK:
        if re.search(pattern, words):
            return answer
    keys = [w for w in re.findall(r"[a-z']+", words) if len(w) > 4][:3]
    return f"You said {' '.join(keys)}. Could you tell me more?" if keys else "Could you say that again?"


def fill(schema: dict, words: str) -> object:
    """An answer for response_format: json_schema."""
    return _value("answer", schema, words, {}) if schema.get("type") != "object" else {
        k: _value(k, v, words, {}) for k, v in schema.get("properties", {}).items()}
