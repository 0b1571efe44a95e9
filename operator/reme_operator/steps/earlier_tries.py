"""What earlier attempts of a remediation did, so that it is not done again. Pure."""

from collections.abc import Iterable

from reme_api.reasons import Reason
from reme_api.remediation import Attempt
from reme_playbook.policy.tries import Try

_SHOWS_NOTHING = {Reason.RUN_LOST, Reason.RUN_NOT_STARTED}


def earlier_tries(attempts: Iterable[Attempt]) -> tuple[Try, ...]:
    """Return what those of the attempts did whose run did something, as far as is known.

    A run that was lost or did not start shows nothing about its playbook.
    """
    return tuple(
        _try(attempt)
        for attempt in attempts
        if attempt.run is not None and attempt.run.reason not in _SHOWS_NOTHING
    )


def _try(attempt: Attempt) -> Try:
    after = attempt.target_after
    return Try(
        number=attempt.number,
        effects=tuple(action.effect for action in attempt.actions),
        summaries=tuple(action.summary for action in attempt.actions),
        killed_for_memory=frozenset(after.killed_for_memory if after else ()),
    )
