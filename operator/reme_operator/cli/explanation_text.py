"""An explanation as people read it."""

from collections.abc import Iterator

from reme_operator.admission.explain import ActionExplanation, Explanation, PolicyExplanation
from reme_operator.cli.terminal import escaped


def text(found: Explanation) -> str:
    """Return the explanation as people read it."""
    state = "accepted" if found.accepted else "not accepted"
    lines = [
        f"Report {found.report} about {found.target}",
        f"  {state} ({found.reason}): {found.message}",
        "",
        "Policies, the strongest first:",
    ]
    lines += [f"  {_policy_words(line)}" for line in found.policies] or ["  none"]
    if found.limits:
        lines += ["", f"Limits of {found.policy}:", *(f"  {line}" for line in found.limits)]
    if found.actions:
        lines += ["", "Actions:"]
    for line in found.actions:
        lines += _action_words(line)
    if found.actions:
        possible = sum(len(line.allowed) for line in found.actions)
        kinds = sum(bool(line.allowed) for line in found.actions)
        lines += ["", f"{possible} possible now, of {kinds} kinds of {len(found.actions)}"]
    lines += [f"Note: {note}" for note in found.notes]
    return "\n".join(escaped(line) for line in lines)


def _policy_words(line: PolicyExplanation) -> str:
    if line.chosen:
        return f"* {line.name}: applies, matched by {line.matched_by}"
    return f"- {line.name}: {line.why_not}"


def _action_words(line: ActionExplanation) -> Iterator[str]:
    if not line.listed or (line.note and not line.allowed and not line.refused):
        yield f"  - {line.name}: {line.note}"
        return
    yield f"  {'+' if line.allowed else '-'} {line.name}"
    yield from (f"      bound: {bound}" for bound in line.bounds)
    yield from (f"      yes: {one.summary} (disruption {one.disruption})" for one in line.allowed)
    yield from (f"      no: {one.summary}: {one.rule}: {one.message}" for one in line.refused)
    if line.more_refused:
        yield f"      no: {line.more_refused} more"
