"""What the records of earlier remediations say about the pod templates of a target."""

from datetime import timedelta
from typing import Any

from reme_api.actions import ActionName
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import ActionRecord, Attempt, TargetState
from reme_operator.snapshot.repair_history import RECENT, RepairHistory, repair_history
from reme_playbook.actions.effect import template_effect, with_raised
from reme_playbook.snapshot.abandoned import Replacement
from tests.doubles.builders import DIGEST, NOW, closed, remediation, run

AFTER = "sha256:" + "c" * 64


def attempt(outcome: Outcome, effect: str = template_effect(AFTER), **fields: Any) -> Attempt:
    record = ActionRecord(
        name=ActionName.SET_ENV, kind="Deployment", object_name="cart", summary="s", effect=effect
    )
    base: dict[str, Any] = {
        "actions": [record],
        "run": run(),
        "target_before": TargetState(template_digest=DIGEST),
    }
    reason = Reason.PROBES_PASSED if outcome is Outcome.VERIFIED else Reason.PROBES_FAILED
    return closed(1, outcome, fields.pop("reason", reason), **(base | fields))


def history(*attempts: Attempt, later: timedelta = timedelta()) -> RepairHistory:
    return repair_history([remediation(*attempts)], NOW + later)


def test_a_repair_that_helped_replaced_a_bad_template() -> None:
    verified = attempt(Outcome.VERIFIED)
    assert history(verified) == ((Replacement(DIGEST, AFTER),), ())
    assert history(verified, later=RECENT * 5).repairs, "for as long as there is a record"


def test_one_that_was_rolled_back_did_not_help_for_a_day() -> None:
    rolled_back = attempt(Outcome.ROLLED_BACK)
    assert history(rolled_back) == ((), (Replacement(DIGEST, AFTER),))
    assert history(rolled_back, later=RECENT) == ((), ())


def test_the_template_is_read_whatever_else_the_effect_says() -> None:
    raised = with_raised(template_effect(AFTER, ["setting"]), {"server.memory_limit": 5})
    assert history(attempt(Outcome.VERIFIED, raised)).repairs == (Replacement(DIGEST, AFTER),)


def test_what_changed_no_template_or_cannot_be_read_says_nothing() -> None:
    nothing = RepairHistory()
    assert history(attempt(Outcome.VERIFIED, template_effect(DIGEST))) == nothing
    assert history(attempt(Outcome.VERIFIED, "Scale:sha256:1")) == nothing
    assert history(attempt(Outcome.VERIFIED, "")) == nothing
    assert history(attempt(Outcome.VERIFIED, target_before=None)) == nothing
    assert history(attempt(Outcome.VERIFIED, run=None)) == nothing
    inconclusive = attempt(Outcome.UNVERIFIED, reason=Reason.PROBES_INCONCLUSIVE)
    assert history(inconclusive) == nothing
    assert history(attempt(Outcome.ROLLED_BACK, reason=Reason.RUN_LOST)) == nothing
