"""The part of the report about single cases: each failure with all there is to say about it."""

import json
from collections.abc import Iterable, Sequence
from html import escape

import yaml

from reme_benchmark.reports import formatting
from reme_benchmark.reports.failure_causes import MEANING, Cause, cause_of
from reme_benchmark.scoring.records import CaseResult, State

LONGEST_TEXT = 20_000
"""Characters of a playbook or a diff that are shown; a model may write without end."""
_MOST_CHANGES = 40


def cause(result: CaseResult) -> str:
    """Return the recorded cause, or sort it anew."""
    return result.cause or str(cause_of(result))


def meaning(name: str) -> str:
    """Return what a cause means, for people."""
    try:
        return MEANING[Cause(name)]
    except (KeyError, ValueError):
        return ""  # of a newer version


def failures(results: Iterable[CaseResult]) -> str:
    """Return one block for each judged case that was not passed."""
    found = [r for r in results if r.state is State.JUDGED and not r.passed]
    return "".join(_failure(result) for result in found) or "<p>None.</p>"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int] = frozenset()
) -> str:
    """Return a table; the cells are HTML already, the heads are text."""

    def mark(place: int) -> str:
        return ' class="n"' if place in numbers else ""

    head = "".join(f"<th{mark(n)}>{escape(text)}</th>" for n, text in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{mark(n)}>{cell}</td>" for n, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{inner}</table></div>'


def verdict(result: CaseResult) -> str:
    """Return how a case ended, in colour."""
    text = formatting.verdict(result)
    kind = text if text in ("passed", "failed") else "other"
    return f'<span class="{kind}">{escape(text)}</span>'


def _failure(result: CaseResult) -> str:
    case, said = result.case, result.said
    name = cause(result)
    parts = [
        (
            f"<p><b>{escape(formatting.why(result))}</b><br>"
            f'<span class="soft">{escape(meaning(name))}</span></p>'
        ),
        _facts(result),
    ]
    if result.strict is not None and result.strict.measured:
        parts.append("<h3>What the oracle measured</h3>" + _measured(result))
    if result.changes:
        parts.append("<h3>What is not as it was before the fault</h3>" + _changes(result))
    for number, playbook in enumerate(said.playbooks, 1):
        parts.append(f"<h3>Playbook {number}</h3><pre>{escape(_cut(_readable(playbook)))}</pre>")
    if said.diff:
        parts.append(f"<h3>What it changed</h3><pre>{_coloured(_cut(said.diff))}</pre>")
    return (
        f'<details id="{escape(case.id, quote=True)}"><summary><span class="tag">{escape(name)}'
        f"</span><code>{escape(case.id)}</code> {escape(case.key)}</summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _facts(result: CaseResult) -> str:
    case, said, users = result.case, result.said, result.users
    again = users.served_again_seconds
    reported = "" if case.reported_service == case.service else f", names {case.reported_service}"
    rows = [
        ("report", f"{case.quality}{reported}"),
        ("parameters", ", ".join(f"{k} {v}" for k, v in case.parameters.items()) or "none"),
        ("method says", " ".join(x for x in (said.outcome, said.message) if x) or "nothing"),
        ("published check", formatting.published(result)),
        (
            "users",
            f"{users.failed_requests} failed requests, "
            + ("never served again" if again is None else f"served again after {again:.1f} s"),
        ),
        ("pods", f"{result.pods_replaced} replaced, {result.restarts} restarts"),
        (
            "time",
            (
                f"method {formatting.seconds(result.timing.method)}, "
                f"all {formatting.seconds(result.timing.total)}"
            ),
        ),
    ]
    if said.error:
        rows.append(("error", said.error))
    shown = ((f'<span class="soft">{escape(k)}</span>', escape(v)) for k, v in rows)
    return table(["", ""], shown).replace("<thead><tr><th></th><th></th></tr></thead>", "")


def _measured(result: CaseResult) -> str:
    assert result.strict is not None
    state = {True: ("passed", "holds"), False: ("failed", "fails"), None: ("other", "unknown")}
    return table(
        ["measured", "", "value", ""],
        (
            (
                escape(m.name),
                f'<span class="{state[m.ok][0]}">{state[m.ok][1]}</span>',
                escape(m.value),
                escape(m.message),
            )
            for m in result.strict.measured
        ),
    )


def _changes(result: CaseResult) -> str:
    shown = result.changes[:_MOST_CHANGES]
    text = table(
        ["object", "field", "before", "after", "allowed"],
        (
            (
                escape(c.object),
                f"<code>{escape(c.path or '(whole)')}</code>",
                escape(c.before or "(none)"),
                escape(c.after or "(none)"),
                "yes" if c.allowed else '<span class="failed">no</span>',
            )
            for c in shown
        ),
    )
    left = len(result.changes) - len(shown)
    return text + (f'<p class="note">and {left} more</p>' if left else "")


def _coloured(diff: str) -> str:
    lines = []
    for line in diff.splitlines():
        kind = {"+": "add", "-": "del"}.get(line[:1])
        text = escape(line)
        lines.append(f'<span class="{kind}">{text}</span>' if kind else text)
    return "\n".join(lines)


def _readable(playbook: str) -> str:
    """Return a playbook that came as JSON, as a model decodes it, in the form that people write."""
    if not playbook.lstrip().startswith(("[", "{")) or len(playbook) > LONGEST_TEXT:
        return playbook
    try:
        return yaml.safe_dump(json.loads(playbook), sort_keys=False, allow_unicode=True, width=100)
    except (ValueError, RecursionError, yaml.YAMLError):
        return playbook


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} characters more"
