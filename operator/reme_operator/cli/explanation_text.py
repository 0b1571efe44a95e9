"""An explanation for people. Pure."""

from collections.abc import Iterator

from rich.text import Text

from reme_operator.admission.explain import (
    ActionExplanation,
    EvidenceExplanation,
    Explanation,
    PolicyExplanation,
)
from reme_operator.cli.terminal import escape

_MOST_SHOWN = 5


def explanation_lines(explanation: Explanation) -> Iterator[Text]:
    """Return the explanation, line by line."""
    state, style = ("accepted", "green") if explanation.accepted else ("not accepted", "red")
    yield _text(f"Report {explanation.report} for {explanation.target}", "bold")
    yield Text.assemble(
        "  ", (state, style), escape(f" ({explanation.reason}): {explanation.message}")
    )
    yield Text()
    yield _text("Policies, highest priority first:")
    for policy in explanation.policies:
        yield _policy(policy)
    if not explanation.policies:
        yield _text("  none")
    if explanation.limits:
        yield Text()
        yield _text(f"Limits of {explanation.policy}:")
        yield from (_text(f"  {line}") for line in explanation.limits)
    if explanation.actions:
        yield Text()
        yield _text("Actions:")
        for action in explanation.actions:
            yield from _action(action)
        possible = sum(len(action.allowed) for action in explanation.actions)
        kinds = sum(bool(action.allowed) for action in explanation.actions)
        yield Text()
        yield _text(
            f"{possible} actions are possible now, of {kinds} of {len(explanation.actions)} kinds"
        )
    if explanation.evidence:
        yield Text()
        yield _text("The evidence speaks against:")
        for rule in explanation.evidence:
            yield from _rule(rule)
    yield from (_text(f"Note: {note}") for note in explanation.notes)


def _policy(policy: PolicyExplanation) -> Text:
    if policy.chosen:
        return _text(f"  * {policy.name}: applies, matched by {policy.matched_by}", "green")
    return _text(f"  - {policy.name}: {policy.why_not}")


def _action(action: ActionExplanation) -> Iterator[Text]:
    if not action.listed or (action.note and not action.allowed and not action.refused):
        yield _text(f"  - {action.name}: {action.note}", "dim")
        return
    yield _text(f"  {'+' if action.allowed else '-'} {action.name}")
    yield from (_text(f"      bound: {bound}") for bound in action.bounds)
    for one in action.allowed:
        yield _text(f"      yes: {one.summary} (disruption {one.disruption})", "green")
    for refusal in action.refused:
        yield _text(f"      no: {refusal.summary}: {refusal.rule}: {refusal.message}")
    if action.more_refused:
        yield _text(f"      no: {action.more_refused} more")


def _rule(rule: EvidenceExplanation) -> Iterator[Text]:
    yield _text(f"  - {rule.rule}: {rule.reason}")
    for summary in rule.refused[:_MOST_SHOWN]:
        yield _text(f"      refuses: {summary}")
    if len(rule.refused) > _MOST_SHOWN:
        yield _text(f"      refuses: {len(rule.refused) - _MOST_SHOWN} more")


def _text(line: str, style: str = "") -> Text:
    return Text(escape(line), style=style)
