"""The Events that people see say what happened."""

from reme_api.reasons import Reason
from reme_api.remediation import Attempt
from reme_operator.reconcile.events import Event, changes
from tests.doubles.builders import closed, executed, remediation, run, started


def events(before: Attempt, after: Attempt) -> list[Event]:
    return list(changes(remediation(before), remediation(after)))


def test_a_run_that_succeeded_says_what_it_did() -> None:
    """The message was empty: a run that succeeds leaves none."""
    ended = executed().run
    assert ended is not None
    ended = ended.model_copy(update={"task_count": 3, "changed_task_count": 1})
    (event,) = events(started(), started(run=ended))
    assert event.reason == Reason.RUN_SUCCEEDED
    assert event.message == f"attempt 1: run {ended.name}: 1 of 3 tasks changed something"


def test_every_event_has_a_message() -> None:
    for reason in Reason:
        for kind in ("run", "rollback"):
            record = run(reason, rollback=kind == "rollback")
            for event in events(closed(1, None, Reason.CANCELLED), started(**{kind: record})):  # type: ignore[arg-type]
                assert not event.message.rstrip().endswith(":"), event
