"""What did not help is not offered again."""

from reme_api.actions import ActionName
from reme_api.remediation import ActionRecord
from reme_operator.steps.generate import exclude_attempted
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.doubles.builders import attempt, run

CART = ObjectRef("Deployment", "shop", "cart")
RESTART, ROLLBACK = Restart(target=CART), Rollback(target=CART)


def record(action: Restart | Rollback) -> ActionRecord:
    return ActionRecord(
        name=ActionName(action.name),
        kind="Deployment",
        object_name="cart",
        summary=action.summary(),
    )


def test_what_ran_alone_is_left_out() -> None:
    attempted = attempt(1, actions=[record(RESTART)], run=run())
    assert exclude_attempted([RESTART, ROLLBACK], [attempted]) == (ROLLBACK,)


def test_what_never_ran_or_ran_with_others_may_be_tried() -> None:
    planned = attempt(1, actions=[record(RESTART)])
    both = attempt(2, actions=[record(RESTART), record(ROLLBACK)], run=run())
    assert exclude_attempted([RESTART, ROLLBACK], [planned, both]) == (RESTART, ROLLBACK)
