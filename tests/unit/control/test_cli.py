"""What `kubectl reme` shows and what it sends; `tests/integration/cli` runs its commands."""

import io
import json
from typing import Any

import pytest

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_api.base import ArtifactReference
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Change, Hold, Remediation
from reme_operator.cli.errors import CliError
from reme_operator.cli.preferences import preferences
from reme_operator.cli.remediation_text import remediation_lines, remediations_table
from reme_operator.cli.spec_patches import approval, rollback
from reme_operator.cli.terminal import ColorMode, Output, escape
from reme_operator.decision.plan_approval import waits_for_person
from tests.doubles.builders import (
    DIGEST,
    NOW,
    PLAN_DIGEST,
    executed,
    later,
    plan,
    planned,
    remediation,
    text,
)

CHANGE = Change(kind="Deployment", object_name="cart", field="spec.replicas", before="1", after="2")


def waiting(**fields: Any) -> Remediation:
    base: dict[str, Any] = {"plan": plan(clean=True), "changes": [CHANGE]}
    return remediation(planned(**(base | fields)), mode="Approve")


def over(**fields: Any) -> Remediation:
    attempt = executed(outcome=Outcome.VERIFIED, reason=Reason.PROBES_PASSED)
    return remediation(attempt, outcome=Outcome.VERIFIED, **fields)


def shown(result: Remediation, monkeypatch: pytest.MonkeyPatch, mode: ColorMode = "auto") -> str:
    """Return what `kubectl reme show` prints."""
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    Output(mode).lines(remediation_lines(result))
    return file.getvalue()


def test_the_record_is_shown_with_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = shown(waiting(), monkeypatch)
    assert "Deployment cart" in printed
    assert "      spec.replicas\n      - 1\n      + 2" in printed
    assert PLAN_DIGEST in printed
    assert "kubectl reme approve cart-down-12345678 -n shop" in printed


def test_a_long_line_is_neither_wrapped_nor_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = shown(waiting(message="x" * 900), monkeypatch)
    assert "x" * 900 in printed


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert "\033[" not in shown(waiting(), monkeypatch)
    assert "\033[32m      + 2\033[0m" in shown(waiting(), monkeypatch, "always")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\033[" in shown(waiting(), monkeypatch)
    assert "\033[" not in shown(waiting(), monkeypatch, "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in shown(waiting(), monkeypatch)
    assert "\033[32m" in shown(waiting(), monkeypatch, "always"), "the option is more specific"


@pytest.mark.parametrize(
    "hostile", ["\033[2J", "a\rb", "x\ny", "\u202eabc", "\u2066z", "\x07", "\x9b31m", "\u2028"]
)
def test_foreign_text_cannot_move_the_cursor_nor_reverse_a_line(hostile: str) -> None:
    assert escape(hostile).isprintable()
    change = CHANGE.model_copy(update={"after": hostile, "field": f"data[{hostile}]"})
    result = waiting(changes=[change], message=hostile)
    assert all(line.plain.isprintable() for line in remediation_lines(result))


def test_decisions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    record = ApprovalRecord(
        decision=ApprovalDecision.REJECT,
        username="ann",
        decision_time=NOW,
        playbook_digest=DIGEST,
        plan_digest=PLAN_DIGEST,
        reason="no",
        refusal_message="",
    )
    printed = shown(waiting(approvals=[record]), monkeypatch)
    assert "Reject by ann" in printed
    assert ": no" in printed


@pytest.mark.parametrize("width", ["20", "200"])
def test_what_is_listed_is_in_columns_of_any_width(
    monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    table = remediations_table([waiting()], later(90), with_namespace=True)
    Output().print(table)
    head, row = file.getvalue().splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "TARGET", "FAULT", "STATE", "AGE"]
    assert row.split()[:3] == ["shop", "cart-down-12345678", "Deployment/cart"]
    assert row.split()[-1] == "1m"


def test_only_a_plan_waits() -> None:
    assert waits_for_person(waiting())
    assert not waits_for_person(remediation(planned(), mode="Auto"))
    assert not waits_for_person(over())
    assert not waits_for_person(remediation(planned(plan=plan(complete=False)), mode="Approve"))


def test_an_approved_plan_on_hold_is_not_asked_about_again() -> None:
    record = ApprovalRecord(
        decision=ApprovalDecision.APPROVE,
        username="ann",
        decision_time=NOW,
        playbook_digest=DIGEST,
        plan_digest=PLAN_DIGEST,
    )
    result = waiting(approvals=[record])
    hold = Hold(reason=Reason.OUTSIDE_WINDOW, start_time=NOW)
    result = result.model_copy(update={"status": result.status.model_copy(update={"hold": hold})})
    assert not waits_for_person(result)
    with pytest.raises(CliError, match=r"approved by ann and is on hold \(OutsideWindow\)"):
        approval(result, ApprovalDecision.APPROVE, "bob")


def test_a_decision_is_about_what_was_read() -> None:
    patch = approval(waiting(), ApprovalDecision.APPROVE, "ann")["approval"]
    assert (patch["attempt"], patch["playbookDigest"], patch["planDigest"]) == (
        1,
        DIGEST,
        PLAN_DIGEST,
    )
    assert patch["editedPlaybook"] is None, "a merge would keep the edit of before"
    with pytest.raises(CliError, match="does not wait"):
        approval(over(), ApprovalDecision.APPROVE, "ann")


def test_a_rollback_is_requested_once() -> None:
    assert rollback(over(), "ann")["rollback"] == {"username": "ann", "number": 1, "reason": None}
    with pytest.raises(CliError, match="has not ended"):
        rollback(waiting(), "ann")
    requested = over(rollback_request={"username": "bob", "number": 1})
    with pytest.raises(CliError, match="requested already, by bob"):
        rollback(requested, "ann")


def test_preferences_have_both_versions_and_what_was_asked() -> None:
    mapping = {
        "prompt": json.dumps({"messages": [{"role": "user", "content": "?"}]}),
        "playbook": "[1]",
        "edit": "[2]",
        "later": "[3]",
    }

    def named(name: str) -> ArtifactReference:
        return text(name)

    def record(decision: ApprovalDecision, **fields: Any) -> ApprovalRecord:
        return ApprovalRecord(
            decision=decision,
            username="ann",
            decision_time=NOW,
            playbook_digest=DIGEST,
            plan_digest=PLAN_DIGEST,
            **fields,
        )

    edit = record(
        ApprovalDecision.EDIT, original_playbook=named("playbook"), edited_playbook=named("edit")
    )
    refused = edit.model_copy(update={"refusal_message": "no"})
    approve = record(ApprovalDecision.APPROVE, reason="better")
    result = waiting(playbook=named("later"), approvals=[refused, edit, approve])
    pairs = list(preferences(result, lambda r: mapping.get(r.name)))
    assert [(p["decision"], p["chosen"], p["rejected"]) for p in pairs] == [
        ("Edit", "[2]", "[1]"),
        ("Approve", "[3]", None),
    ]
    assert pairs[0]["prompt"] == [{"role": "user", "content": "?"}]
    assert "ann" not in json.dumps(pairs), "who it was is nobody's business in training"
    rejected = waiting(approvals=[record(ApprovalDecision.REJECT, reason="no")])
    (pair,) = preferences(rejected, lambda r: mapping.get(r.name))
    assert (pair["chosen"], pair["rejected"]) == (None, "[1]")
    assert list(preferences(rejected, lambda _: None)) == []
