"""Plans, decisions and undo as people have them: with their own rights, by `kubectl reme`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reme_api.conditions import find_condition
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Remediation
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Object
from tests.support.testbed import SYSTEM, Testbed, rollback

pytestmark = pytest.mark.cluster

# Who decides what is the matter here, and not how the neighbours are on a busy machine.
QUICK = {"windowSeconds": 3, "timeoutSeconds": 240, "baselineSamples": 2, "neighbours": "None"}
PATIENCE_SECONDS = 600
OPERATOR = f"system:serviceaccount:{SYSTEM}:reme-operator"


def command(testbed: Testbed, *words: str, by: str = "", fails: bool = False) -> str:
    """Run `kubectl reme` as a person of that name would; return what it says."""
    who = [f"--as={by}"] if by else []
    done = subprocess.run(
        [sys.executable, "-m", "reme_operator.cli.main", *words, "-n", testbed.namespace, *who],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    assert (done.returncode != 0) == fails, (done.returncode, done.stdout, done.stderr)
    return done.stderr if fails else done.stdout


def scale(testbed: Testbed, replicas: int) -> Object:
    where = {"kind": "Deployment", "name": "catalog", "namespace": testbed.namespace}
    return {"kubernetes.core.k8s_scale": where | {"replicas": replicas}}


def waiting(
    testbed: Testbed, report: Object, reason: Reason = Reason.WAITING_FOR_APPROVAL
) -> Remediation:
    """Return the remediation once it waits for a person, for that reason."""

    def check() -> Remediation | None:
        value = testbed.remediation(report)
        stated = find_condition(value.status.conditions, ConditionType.APPROVED) if value else None
        return value if stated and stated.reason is reason else None

    value = testbed.until(f"it waits: {reason}", check, 240)
    assert isinstance(value, Remediation)
    return value


def approval(remediation: Remediation, by: str, **fields: Any) -> str:
    attempt = remediation.status.attempts[-1]
    assert attempt.playbook is not None
    assert attempt.plan is not None
    mapping = {
        "decision": "Approve",
        "username": by,
        "attempt": attempt.number,
        "playbookDigest": attempt.playbook.digest,
        "planDigest": attempt.plan.digest,
    }
    return json.dumps({"spec": {"approval": mapping | fields}})


def patch(testbed: Testbed, remediation: Remediation, body: str, by: str) -> str:
    """Patch a remediation as somebody; return why that was refused, or nothing."""
    try:
        testbed.kubectl.run(
            *("patch", "remediations.reme.dev", remediation.metadata.name, "-n", testbed.namespace),
            *("--type", "merge", "-p", body, f"--as={by}"),
        )
    except CommandError as error:
        return str(error)
    return ""


@pytest.fixture
def asking(shop: Testbed) -> Testbed:
    """A policy in mode Approve, a person who may approve, and one who may only patch."""
    shop.policy(mode="Approve", verification=QUICK)
    space = ["-n", shop.namespace]
    reads = "--resource=remediations.reme.dev,configmaps"
    for name, verbs in (("ann", "get,list,patch,approve"), ("pat", "get,list,patch")):
        role = ["create", "role", name, *space, f"--verb={verbs}", reads]
        bound = ["create", "rolebinding", name, *space, f"--role={name}", f"--user={name}"]
        for words in (role, bound):
            text = shop.kubectl.run(*words, "--dry-run=client", "-o", "json")
            shop.kubectl.apply(json.loads(text))
    return shop


def test_a_plan_is_what_the_api_server_says_and_leaves_nothing(shop: Testbed) -> None:
    shop.policy(mode="Observe", verification=QUICK)
    shop.break_catalog()
    before = shop.spec_of("deployment", "catalog")
    shop.model.play(rollback())
    ended = shop.ended(shop.report("planned"), PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.OBSERVED, ended.status.message
    (attempt,) = ended.status.attempts
    assert attempt.plan is not None
    assert attempt.plan.digest is not None
    env = "spec.template.spec.containers[catalog].env"
    assert {(c.field, c.before, c.after) for c in attempt.changes} == {
        (f"{env}[FAIL_PERCENT].value", "100", "0"),
        (f"{env}[VERSION].value", "2", "1"),
    }
    shop.until("rights are gone", lambda: not shop.leftovers(ended), 120)
    assert shop.spec_of("deployment", "catalog") == before


def test_only_who_may_approve_does_and_under_their_own_name(asking: Testbed) -> None:
    asking.break_catalog()
    asking.model.play(rollback())
    report = asking.report("approved")
    remediation = waiting(asking, report)
    assert not asking.leftovers(remediation), "nobody holds rights while a person thinks"
    assert "needs the verb approve" in patch(
        asking, remediation, approval(remediation, "pat"), "pat"
    )
    assert "must be your own username" in patch(
        asking, remediation, approval(remediation, "pat"), "ann"
    )
    assert patch(asking, remediation, approval(remediation, OPERATOR), OPERATOR), (
        "the operator approves"
    )
    assert "needs the verb approve" in command(
        asking, "approve", remediation.metadata.name, "--yes", by="pat", fails=True
    )
    shown = command(asking, "show", remediation.metadata.name, by="ann")
    assert "- 100" in shown
    assert "+ 0" in shown
    assert asking.jobs(remediation) == []
    text = command(
        asking, "approve", remediation.metadata.name, "--yes", "--reason", "looks right", by="ann"
    )
    assert "approved plan sha256:" in text
    ended = asking.ended(report, PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    (record,) = ended.status.attempts[0].approvals
    assert (record.username, record.reason) == ("ann", "looks right")
    asking.until("clean-up", lambda: not asking.leftovers(ended), 120)


def test_a_plan_that_changed_since_is_not_run(asking: Testbed) -> None:
    asking.break_catalog()
    asking.model.play(scale(asking, 2))
    report = asking.report("changed")
    remediation = waiting(asking, report)
    asking.kubectl.run("scale", "deployment/catalog", "-n", asking.namespace, "--replicas=3")
    assert patch(asking, remediation, approval(remediation, "ann"), "ann") == ""
    changed = waiting(asking, report, Reason.PLAN_CHANGED)
    (change,) = changed.status.attempts[0].changes
    assert (change.field, change.before, change.after) == ("spec.replicas", "3", "2")
    old = remediation.status.attempts[0].plan
    assert old is not None
    text = command(
        asking,
        "approve",
        remediation.metadata.name,
        "--plan",
        str(old.digest),
        by="ann",
        fails=True,
    )
    assert "is not" in text
    command(asking, "reject", remediation.metadata.name, "--reason", "three is right", by="ann")
    ended = asking.ended(report, PATIENCE_SECONDS)
    assert ended.status.reason is Reason.REJECTED_BY_PERSON
    assert "three is right" in ended.status.message
    assert asking.spec_of("deployment", "catalog")["replicas"] == 3


def test_an_edit_is_gated_planned_approved_and_kept_to_learn_from(
    asking: Testbed, tmp_path: Path
) -> None:
    asking.break_catalog()
    asking.model.play(scale(asking, 2))
    report = asking.report("edited")
    remediation = waiting(asking, report)
    name, file = remediation.metadata.name, tmp_path / "playbook.json"
    file.write_text(json.dumps([rollback("coredns", "kube-system")]))
    text = command(asking, "edit", name, "-f", str(file), by="ann", fails=True)
    assert "may not run" in text
    file.write_text(json.dumps([rollback()]))
    text = command(asking, "edit", name, "-f", str(file), "--reason", "roll back", by="ann")
    assert "+ 0" in text
    assert asking.jobs(remediation) == []
    command(asking, "approve", name, "--yes", by="ann")
    ended = asking.ended(report, PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    lines = [json.loads(x) for x in command(asking, "preferences", by="ann").splitlines()]
    edits = [x for x in lines if x["remediation"].endswith(name) and x["decision"] == "Edit"]
    (edit,) = edits
    assert json.loads(edit["chosen"]) == [rollback()]
    assert "k8s_scale" in edit["rejected"]
    assert edit["prompt"]


@pytest.fixture
def one_replica(shop: Testbed) -> Iterator[Testbed]:
    """An administrator's own rule, of which reme's policy knows nothing."""
    rule = {
        "expression": "object.spec.replicas <= 1",
        "message": "the team pays for one replica",
    }
    name = "reme-e2e-one-replica"
    match = {
        "apiGroups": ["apps"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["deployments/scale", "deployments"],
    }
    only = {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace}}
    head = {"apiVersion": "admissionregistration.k8s.io/v1"}
    policy = {
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"namespaceSelector": only, "resourceRules": [match]},
            "validations": [rule],
        },
    }
    binding = {
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    shop.kubectl.apply(head | policy, head | binding)

    def refused() -> bool:
        words = ("scale", "deployment/catalog", "-n", shop.namespace, "--replicas=2")
        try:
            shop.kubectl.run(*words, "--dry-run=server")
        except CommandError:
            return True
        return False

    shop.until("the rule holds", refused)
    yield shop
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        shop.kubectl.delete(kind, name)


def test_what_the_api_server_would_refuse_is_rejected_before_it_runs(one_replica: Testbed) -> None:
    shop = one_replica
    shop.policy(verification=QUICK)
    shop.break_catalog()
    shop.model.play(scale(shop, 2))
    ended = shop.ended(shop.report("refused"), PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.REJECTED
    assert ended.status.reason is Reason.DRY_RUN_REFUSED
    assert "the team pays for one replica" in ended.status.message
    assert shop.jobs(ended) == []
    shop.until("clean-up", lambda: not shop.leftovers(ended), 120)


def test_a_repair_is_taken_back_by_hand(asking: Testbed) -> None:
    shop = asking
    shop.policy(verification=QUICK)
    shop.break_catalog()
    shop.model.play(rollback())
    ended = shop.ended(shop.report("taken-back"), PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    name = ended.metadata.name
    assert "needs the verb approve" in command(shop, "rollback", name, by="pat", fails=True)
    text = command(shop, "rollback", name, "--reason", "it was meant so", by="ann")
    assert "RolledBack" in text
    assert fails_percent(shop) == "100"
    assert "nothing to restore" in command(shop, "rollback", name, by="ann")
    now = read(shop, ended)
    assert now.status.outcome is Outcome.VERIFIED
    assert [u.username for u in now.status.manual_rollbacks] == ["ann", "ann"]
    shop.until("clean-up", lambda: not shop.leftovers(ended), 120)


def test_what_was_changed_since_is_not_undone(asking: Testbed) -> None:
    shop = asking
    shop.policy(verification=QUICK)
    shop.break_catalog()
    shop.model.play(rollback())
    ended = shop.ended(shop.report("changed-since"), PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    shop.shop.set_env("catalog", VERSION="3", FAIL_PERCENT="0")
    command(shop, "rollback", ended.metadata.name, by="ann", fails=True)
    (undo,) = read(shop, ended).status.manual_rollbacks
    assert undo.outcome is Outcome.REJECTED
    assert undo.run is None
    assert [k.field for k in undo.skipped_fields] == ["spec.template"]
    assert fails_percent(shop) == "0"


def read(testbed: Testbed, remediation: Remediation) -> Remediation:
    now = testbed.kubectl.get("remediations.reme.dev", remediation.metadata.name, testbed.namespace)
    return Remediation.model_validate(now)


def fails_percent(testbed: Testbed) -> str:
    (container,) = testbed.spec_of("deployment", "catalog")["template"]["spec"]["containers"]
    return next(str(e["value"]) for e in container["env"] if e["name"] == "FAIL_PERCENT")
