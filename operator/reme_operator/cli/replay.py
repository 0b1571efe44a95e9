"""Replays the investigations of a remediation offline: from its record and its artifacts. Pure.

For each round the coordinator with rules is asked again, with what the recorded coordinator was
given. For each attempt the decision is taken again at every state that the record went through.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from pydantic import ValidationError

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice, InvestigationRound
from reme_api.reasons import Step
from reme_api.remediation import Attempt, Remediation
from reme_operator.decision.decisions import ChooseRound, Decision, RunRound
from reme_operator.decision.investigation import decide_investigation
from reme_operator.decision.observed import Observed
from reme_operator.investigation.coordinator import CoordinatorChoice, StoredChoice
from reme_operator.investigation.rules_coordinator import choose_by_rules

Read = Callable[[ArtifactReference], str | None]
"""Returns the text of an artifact; None when it is gone."""


@dataclass(frozen=True, slots=True)
class RoundReplay:
    """One round: what was recorded, and what the rules choose for the same view."""

    attempt: int
    number: int
    coordinator: str
    recorded: str
    replayed: str = ""
    problem: str = ""  # why it cannot be replayed

    @property
    def is_same(self) -> bool:
        """Whether the choice is the same."""
        return not self.problem and self.recorded == self.replayed


@dataclass(frozen=True, slots=True)
class DecisionReplay:
    """The decisions of one attempt, as recorded and as taken again."""

    attempt: int
    recorded: tuple[str, ...]
    replayed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether each is the same."""
        return self.recorded == self.replayed


def replay_rounds(remediation: Remediation, read: Read) -> Iterator[RoundReplay]:
    """Yield every recorded round, chosen again by the rules."""
    for attempt in remediation.status.attempts:
        for entry in attempt.investigation:
            yield _round(attempt, entry, read)


def _round(attempt: Attempt, entry: InvestigationRound, read: Read) -> RoundReplay:
    base = RoundReplay(attempt.number, entry.number, entry.coordinator, str(entry.choice))
    text = read(entry.view) if entry.view else None
    if entry.view is None or text is None:
        return _with(base, problem="its artifact is gone")
    if f"sha256:{sha256(text.encode()).hexdigest()}" != entry.view.digest:
        return _with(base, problem="its artifact does not match its digest")
    try:
        stored = StoredChoice.model_validate_json(text)
    except ValidationError:
        return _with(base, problem="its artifact was written by another version")
    again = choose_by_rules(stored.view)
    return _with(base, recorded=describe_choice(stored.choice), replayed=describe_choice(again))


def _with(base: RoundReplay, **fields: str) -> RoundReplay:
    values = {name: getattr(base, name) for name in RoundReplay.__slots__}
    return RoundReplay(**(values | fields))


def describe_choice(choice: CoordinatorChoice) -> str:
    """Return a choice in a few words, the same for the same choice."""
    if choice.choice is Choice.INSPECT:
        return f"{choice.choice}: {', '.join(one.label for one in choice.inspections)}"
    if choice.cause is not None:
        return f"{choice.choice}: {choice.cause.kind}/{choice.cause.name}"
    return f"{choice.choice}: {choice.reason}" if choice.reason else str(choice.choice)


# the decisions -----------------------------------------------------------------------------------


def replay_decisions(remediation: Remediation) -> Iterator[DecisionReplay]:
    """Yield for each attempt with rounds what is decided at each state of its record."""
    for attempt in remediation.status.attempts:
        if attempt.investigation:
            recorded, replayed = [], []
            for rounds, at, decision in _states(attempt):
                recorded.append(decision)
                replayed.append(_decision(remediation, attempt, rounds, at))
            yield DecisionReplay(attempt.number, tuple(recorded), tuple(replayed))


def _states(attempt: Attempt) -> Iterator[tuple[Sequence[InvestigationRound], datetime, str]]:
    """Yield the rounds at each recorded state, its time, and the decision that followed."""
    rounds = attempt.investigation
    for place, entry in enumerate(rounds):
        yield rounds[:place], entry.start_time, _name(ChooseRound(entry.number))
        if entry.results is not None:
            open_round = entry.model_copy(update={"completion_time": None, "results": None})
            yield [*rounds[:place], open_round], entry.start_time, _name(RunRound(entry.number))
    if rounds[-1].choice in (Choice.ACT, Choice.INSPECT) and attempt.generation is not None:
        yield rounds, _generated_at(attempt), _name(None)


def _generated_at(attempt: Attempt) -> datetime:
    """Return when the prompt was complete; before that the investigation had ended."""
    last = attempt.investigation[-1]
    ends = [
        timing.start_time + timedelta(milliseconds=timing.duration_milliseconds)
        for timing in attempt.timings
        if timing.step is Step.CONTEXT
    ]
    return max([last.completion_time or last.start_time, *ends])


def _decision(
    remediation: Remediation,
    attempt: Attempt,
    rounds: Sequence[InvestigationRound],
    at: datetime,
) -> str:
    earlier = [one for one in remediation.status.attempts if one.number < attempt.number]
    state = Attempt(
        number=attempt.number, start_time=attempt.start_time, investigation=list(rounds)
    )
    status = remediation.status.model_copy(
        update={"attempts": [*earlier, state], "outcome": None, "completion_time": None}
    )
    observed = Observed(remediation.model_copy(update={"status": status}))
    return _name(decide_investigation(observed, state, at))


def _name(decision: Decision | None) -> str:
    if isinstance(decision, ChooseRound | RunRound):
        return f"{type(decision).__name__} {decision.number}"
    return type(decision).__name__ if decision else "Generate"
