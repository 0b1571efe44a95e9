"""What people are told when no action is left to choose from."""

from reme_api.actions import ActionName
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.policy.nothing_left import NothingLeft, nothing_left
from tests.unit.playbook.rollouts import Rollout
from tests.unit.playbook.test_evidence_rules import FULL, OLD, broken_stock


def policy(*names: ActionName) -> RemediationPolicySpec:
    return RemediationPolicySpec(actions=[ActionRule(name=name) for name in names])


def test_what_the_evidence_says_comes_first_and_once_for_all_actions() -> None:
    live = Rollout(replicas=4, objects=FULL).live()
    allowed = policy(ActionName.RESTART, ActionName.SCALE, ActionName.SET_IMAGE)
    assert nothing_left(live, allowed) == NothingLeft(
        "the policy allows no action that could help now and was not tried before: quota team is"
        " used up (pods), so that no pod can be created (Restart, Scale)"
    )


def test_a_dependency_at_fault_is_named() -> None:
    live = Rollout(earlier=[OLD], complete=-1, dependencies=(broken_stock(),)).live()
    why = nothing_left(live, policy(ActionName.RESTART, ActionName.ROLLBACK))
    assert why.elsewhere == "stock: it has no pods: Deployment stock is scaled to 0"
    assert "Deployment cart shows no fault, and stock does" in why.message


def test_without_evidence_the_rules_of_the_policy_are_named() -> None:
    live = Rollout().live()
    rule = ActionRule(name=ActionName.SCALE, max_replicas=2, max_increase_percent=0)
    why = nothing_left(live, RemediationPolicySpec(actions=[rule]))
    assert why.message.endswith(": Scale Bounds")
    assert nothing_left(live, RemediationPolicySpec()).message.endswith("tried before")
