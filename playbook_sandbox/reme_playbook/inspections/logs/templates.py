"""Groups log records by the template that they were made from: the Drain algorithm.

Records that differ in numbers, addresses and names only are one template with a count, so that a
thousand equal lines take one line, and the single other one is not lost. As in Drain (He et al.,
2017), records are looked up by their length and first words, and join the most similar template;
here also by severity, so that an error never joins a template of normal lines.

Not the package drain3: it pins versions of jsonpickle and cachetools from 2021, and its core is
what is below.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reme_playbook.inspections.logs.records import LogRecord
from reme_playbook.inspections.logs.severity import Judged, judge

ANY = "<*>"
_MAX_TEMPLATES = 200
_MAX_SIMILAR = 50
"""Templates with the same severity, length and first word."""
_MAX_WORDS = 48
_MAX_CHARACTERS = 4096
"""Of a record, for its template: the severity is found in the whole record."""
_SIMILARITY = 0.6

_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}\b|\d+(?:[.:,/-]\d+)*")


@dataclass
class LogTemplate:
    """Equal records: how many, since when, and the newest of them."""

    words: list[str]
    judged: Judged
    example: str
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sources: set[str] = field(default_factory=set)

    def add(self, record: LogRecord, words: Sequence[str]) -> None:
        """Count a record, and replace the words in which it differs."""
        self.count += 1
        self.sources.add(record.source)
        self.words = [a if a == b else ANY for a, b in zip(self.words, words, strict=True)]
        if record.at:
            self.first = min(self.first or record.at, record.at)
            self.last = max(self.last or record.at, record.at)


@dataclass
class _Tree:
    leaves: dict[tuple[object, ...], list[LogTemplate]] = field(default_factory=dict)
    size: int = 0

    def add(self, record: LogRecord) -> None:
        judged = judge(record.text)
        words = template_words(record.text)
        leaf = self.leaves.setdefault((judged.severity, len(words), words[0]), [])
        template = max(leaf, key=lambda known: _similarity(known.words, words), default=None)
        if template is None or _similarity(template.words, words) < _SIMILARITY:
            if self.size >= _MAX_TEMPLATES or len(leaf) >= _MAX_SIMILAR:
                return
            template = LogTemplate(words, judged, record.text)
            leaf.append(template)
            self.size += 1
        template.add(record, words)


def mine_templates(records: Iterable[LogRecord]) -> list[LogTemplate]:
    """Return the templates of the records, at most 200: those of the newest ones."""
    tree = _Tree()
    for record in reversed(list(records)):
        tree.add(record)
    return [template for leaf in tree.leaves.values() for template in leaf]


def template_words(text: str) -> list[str]:
    """Return the words of a record, without what is different each time."""
    words = _VARIABLE.sub(ANY, text[:_MAX_CHARACTERS]).split()[:_MAX_WORDS]
    return words or [""]


def _similarity(known: Sequence[str], words: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(known, words, strict=True)) / len(words)
