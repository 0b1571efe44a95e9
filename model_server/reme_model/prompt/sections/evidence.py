"""Describes the evidence of the report: the lines that say what failed, each sort of line once.

Tools send raw logs, often the same line many times. Logs get little room, so that they never push
out what the cluster itself shows.
"""

import re
from collections.abc import Iterator, Sequence

from reme_api.diagnosis_report import Evidence, EvidenceKind
from reme_model.prompt.redact import excerpt, redact, short
from reme_model.prompt.sections.lines import Line, Weight, fact, quoted
from reme_playbook.snapshot.log_text import first_failure, message_of, shape, telling_lines

_MOST = 6
_MOST_LOGS = 4
_MAIN = 2
_MOST_LINES = 2
"""Of one piece of evidence."""
_LONGEST = 200
_LONGEST_TOGETHER = 720
_KIND = re.compile(r"\A[A-Z][A-Za-z]+/")


def evidence_lines(evidence: Sequence[Evidence]) -> Iterator[Line]:
    """Yield the evidence in its order; repetitions and most of many logs are left out."""
    remaining = _LONGEST_TOGETHER
    for place, item in enumerate(_selected(evidence)):
        text = excerpt(_text(item), min(_LONGEST, remaining))
        remaining -= len(text)
        weight = Weight.TELLING if place < _MAIN else Weight.NICE
        yield fact(f"evidence, {item.kind.lower()}{_source(item)}: {quoted(text)}", weight)
        if remaining < _LONGEST // 4:
            return


def _selected(evidence: Sequence[Evidence]) -> list[Evidence]:
    distinct = list({_identity(item): item for item in reversed(evidence)}.values())[::-1]
    logs = [item for item in distinct if item.kind is EvidenceKind.LOG]
    # Logs that name a failure first; sorting is stable.
    telling = sorted(logs, key=lambda item: first_failure(item.text) is None)[:_MOST_LOGS]
    return [item for item in distinct if item.kind is not EvidenceKind.LOG or item in telling][
        :_MOST
    ]


def _identity(item: Evidence) -> tuple[str, ...]:
    if item.kind in (EvidenceKind.LOG, EvidenceKind.EVENT):
        return item.kind, shape(_text(item))
    return item.kind, item.source, item.text


def _text(item: Evidence) -> str:
    """Return what the evidence says; of JSON, or of more lines than fit, the telling part."""
    whole, lines = redact(item.text), item.text.splitlines()
    if len(whole) <= _LONGEST and all(message_of(line) == line for line in lines):
        return item.text
    # A secret may span lines: a line that is only hidden as part of the whole is left out.
    safe = [line for line in lines if redact(line) in whole]
    return " / ".join(telling_lines("\n".join(safe), _MOST_LINES)) or item.text


def _source(item: Evidence) -> str:
    # The kind says little, and a long path that begins with a capital looks like a secret.
    path = _KIND.sub("", item.source)
    return f" of {short(path, 60)}" if path else ""
