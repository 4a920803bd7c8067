"""The one table: rows with a target, figures at 1, 10 and 30 calls, a verdict."""
from __future__ import annotations

from dataclasses import dataclass, field

COLUMNS = (1, 10, 30)


@dataclass
class Row:
    name: str
    target: str
    at: dict = field(default_factory=dict)   # calls: text; 0: a figure without calls
    ok: bool | None = None                   # None: not measured
    note: str = ""
    agents: str = ""                         # livekit-agents in the same run

    def verdict(self) -> str:
        return {True: "pass", False: "SHORT", None: "-"}[self.ok]


def show(rows: list[Row], with_agents: bool) -> str:
    head = ["measure", "to reach", "1 call", "10 calls", "30 calls"]
    head += ["livekit-agents"] if with_agents else []
    head += ["", ""]
    lines = [head]
    for r in rows:
        cells = [r.at.get(n, "") for n in COLUMNS]
        cells[0] = cells[0] or r.at.get(0, "")
        lines.append([r.name, r.target, *cells] + ([r.agents] if with_agents else [])
                     + [r.verdict(), r.note])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for i, line in enumerate(lines):
        out.append("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())
        if i == 0:
            out.append("-" * len(out[0]))
    return "\n".join(out)
