"""Who stopped an attempt, and the table of all of them."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ESCAPED = "nobody"
OPEN = "not enforced here"
_POLICIES = {
    "-run-admission": "run admission",
    "-run-limits": "run limits",
    "-grant-protection": "grant protection",
    "-operator-admission": "operator admission",
}


@dataclass(frozen=True)
class Verdict:
    """What became of one attempt.

    `stopped_by` with the rights of an honest run, and `admission_alone` where RBAC had let it
    through. `gate` is the rule by which the gate rejects its playbook.
    """

    group: str
    name: str
    stopped_by: str
    message: str
    gate: str = ""
    admission_alone: str = ""

    @property
    def escaped(self) -> bool:
        """Whether it went through, with honest rights or with careless ones."""
        return ESCAPED in (self.stopped_by, self.admission_alone)


def stopped_by(status: int, message: str) -> str:
    """Return who said no, from the words in which it was said."""
    if 100 <= status < 400:
        return ESCAPED
    if status == 401:
        return "authentication"
    if "ValidatingAdmissionPolicy" in message:
        policy = message.partition("ValidatingAdmissionPolicy '")[2].partition("'")[0]
        return f"admission: {next((w for e, w in _POLICIES.items() if policy.endswith(e)), policy)}"
    if status == 403 and ("cannot" in message or "Forbidden" in message):
        return "RBAC"
    if status in (400, 404, 405, 415, 422):
        return f"API server: {status}"
    return f"unclear: {status}"


def table(verdicts: Iterable[Verdict]) -> str:
    """Return the verdicts as a table of Markdown, with counts and the number of escapes."""
    rows = list(verdicts)
    lines = [
        "| attempt | of | gate | stopped by | RBAC out of the way | result |",
        "|---|---|---|---|---|---|",
        *(
            f"| {v.name} | {v.group} | {v.gate or '-'} | {v.stopped_by} "
            f"| {v.admission_alone or '-'} | {'ESCAPED' if v.escaped else 'refused'} |"
            for v in rows
            if v.stopped_by != OPEN
        ),
        *(f"| {v.name} | {v.group} | - | - | - | {OPEN} |" for v in rows if v.stopped_by == OPEN),
    ]
    items = [v for v in rows if v.stopped_by != OPEN]
    counts = Counter(v.stopped_by for v in items)
    lines += ["", *(f"{number:4} stopped by {who}" for who, number in counts.most_common())]
    if len(items) < len(rows):
        lines.append(f"{len(rows) - len(items):4} {OPEN}: nothing enforces NetworkPolicy")
    lines.append(f"{len(items)} attempts, {sum(v.escaped for v in items)} escapes")
    return "\n".join(lines)


def keep(verdicts: Iterable[Verdict], file: Path) -> None:
    """Write the verdicts as JSON beside the other results of tests."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(v) for v in verdicts], indent=1) + "\n")
