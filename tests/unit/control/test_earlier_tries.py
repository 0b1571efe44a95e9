"""Which attempts count as tries."""

from reme_api.actions import ActionName
from reme_api.reasons import Reason
from reme_api.remediation import ActionRecord, TargetState
from reme_operator.steps.earlier_tries import earlier_tries
from tests.doubles.builders import DIGEST, attempt, run

RESTART = ActionRecord(
    name=ActionName.RESTART, kind="Deployment", object_name="cart", summary="restart", effect="R:1"
)


def test_what_never_ran_is_no_try() -> None:
    planned = attempt(1, actions=[RESTART])
    ran = attempt(2, actions=[RESTART, RESTART], run=run())
    (only,) = earlier_tries([planned, ran])
    assert (only.number, only.effects) == (2, ("R:1", "R:1"))
    assert only.summaries == ("restart", "restart")


def test_a_run_that_was_lost_may_be_repeated() -> None:
    for reason in (Reason.RUN_LOST, Reason.RUN_NOT_STARTED):
        assert earlier_tries([attempt(1, actions=[RESTART], run=run(reason))]) == ()
    assert earlier_tries([attempt(1, actions=[RESTART], run=run(Reason.RUN_FAILED))])


def test_what_was_seen_before_the_rollback_belongs_to_the_try() -> None:
    state = TargetState(template_digest=DIGEST, killed_for_memory=["server"])
    (one,) = earlier_tries([attempt(1, actions=[RESTART], run=run(), target_after=state)])
    assert one.killed_for_memory == {"server"}
