"""What a diagnosis tool sees of a live system, before anything is made of it."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reme_api.diagnosis_report import EvidenceKind

LONGEST = 300
"""Characters of one finding: tools quote, they do not attach."""

# The marks of the injector would tell what no tool can know.
_OURS = re.compile(r"reme-fault|reme-bench|fault-agent|bench-baseline", re.IGNORECASE)
# The same message of two pods, or of two moments, is one finding.
_VARIES = re.compile(r"[0-9a-f]{6,}|\d+(?:\.\d+)?|\b[bcdfghjklmnpqrstvwxz2456789]{5}\b")


@dataclass(frozen=True)
class Finding:
    """One observation; `telling` when it is not how a healthy system looks."""

    kind: EvidenceKind
    source: str
    text: str
    telling: bool = False


@dataclass(frozen=True)
class Findings:
    """Everything that was gathered for one report, the most telling first."""

    kind: str
    """Of the reported workload."""
    name: str
    container: str = ""
    """Its first container: what a tool names that looked into the pods."""
    items: tuple[Finding, ...] = ()
    unrelated: tuple[Finding, ...] = ()
    """True findings of other workloads, which are healthy."""
    front_path: str = "/"
    """On which users feel the reported service."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


def finding(kind: EvidenceKind, source: str, text: str, *, telling: bool = False) -> Finding:
    """Return a finding with its text as one bounded line."""
    return Finding(kind, clean(source, 120), clean(text, LONGEST), telling)


def clean(text: str, longest: int) -> str:
    """Return a text as one line of visible characters, cut when it is longer."""
    shown = (
        " " if c.isspace() or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text[: longest * 8]
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
    line = " ".join("".join(shown).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def distinct(findings: Iterable[Finding], most: int) -> tuple[Finding, ...]:
    """Return the findings without repetitions and without our own traces, the telling first."""
    by_text: dict[tuple[EvidenceKind, str], Finding] = {}
    for one in findings:
        if one.text and not _OURS.search(f"{one.source} {one.text}"):
            by_text.setdefault((one.kind, _VARIES.sub("#", one.text.lower())), one)
    return tuple(sorted(by_text.values(), key=lambda one: not one.telling)[:most])
