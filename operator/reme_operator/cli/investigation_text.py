"""An investigation for people: its rounds, findings and replay. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from reme_api.investigation import InspectionRecord, InvestigationRound
from reme_operator.cli.replay import DecisionReplay, RoundReplay
from reme_operator.cli.terminal import escape, labelled_line


def round_lines(rounds: Iterable[InvestigationRound]) -> Iterator[Text]:
    """Return each round, its inspections with their main findings, and the cause if there is one.

    A round without an end was not performed: its time was over.
    """
    for entry in rounds:
        tokens = entry.prompt_tokens + entry.completion_tokens
        by = f" (by {entry.coordinator}{f', {tokens} tokens' if tokens else ''})"
        reason = f": {entry.message}" if entry.message else ""
        yield labelled_line(f"round {entry.number}", f"{entry.choice}{by}{reason}")
        for inspection in entry.inspections:
            yield labelled_line("", _inspection(inspection))
        if entry.cause is not None:
            evidence = "; ".join(entry.cause.evidence)
            yield labelled_line("", f"cause {entry.cause.kind} {entry.cause.name}: {evidence}")


def _inspection(record: InspectionRecord) -> str:
    if not record.result:
        return f"{record.name} {record.arguments}: in progress"
    return f"{record.name} {record.arguments}: {record.result}: {record.finding}"


def replay_lines(
    rounds: Sequence[RoundReplay], decisions: Sequence[DecisionReplay]
) -> Iterator[Text]:
    """Return what is the same and what differs, attempt by attempt."""
    by_attempt = {one.attempt: one for one in decisions}
    for number in sorted({one.attempt for one in rounds}):
        yield Text(f"Attempt {number}", style="bold")
        for one in rounds:
            if one.attempt == number:
                yield from _round(one)
        if decision := by_attempt.get(number):
            yield from _decisions(decision)


def _round(one: RoundReplay) -> Iterator[Text]:
    yield labelled_line(f"round {one.number}", f"{one.recorded} (by {one.coordinator})")
    if one.problem:
        yield Text(f"  {'':<11}not replayed: {escape(one.problem)}", style="yellow")
    elif one.is_same:
        yield labelled_line("", "the rules choose the same")
    else:
        yield Text(f"  {'':<11}the rules differ: {escape(one.replayed)}", style="yellow")


def _decisions(decision: DecisionReplay) -> Iterator[Text]:
    if decision.is_same:
        yield labelled_line("steps", f"{', '.join(decision.recorded)}: the same")
        return
    for recorded, replayed in zip(decision.recorded, decision.replayed, strict=True):
        if recorded != replayed:
            text = f"recorded {recorded}, now {replayed}"
            yield Text(f"  {'steps':<11}{escape(text)}", style="yellow")
