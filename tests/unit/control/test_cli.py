"""`kubectl reme`: what it shows, what it sends, and what it says when it cannot."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_api.base import ArtifactReference
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Change, Remediation
from reme_operator.cli.cluster import CliError
from reme_operator.cli.main import main
from reme_operator.cli.preferences import preferences
from reme_operator.cli.remediation_text import show, table, waits
from reme_operator.cli.spec_patches import approval, undo
from reme_operator.cli.terminal import Paint, escaped
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


FAKE = r"""#!/bin/sh
# Says what it was told to, and keeps what it was asked.
printf '%s\n' "$*" >> "$FAKE_KUBECTL/asked"
case "$1" in
  auth) echo '{"status":{"userInfo":{"username":"ann"}}}' ;;
  get) if [ -f "$FAKE_KUBECTL/$2" ]; then cat "$FAKE_KUBECTL/$2"; else
         echo "Error from server (NotFound): nothing here" >&2; exit 1; fi ;;
  patch) if [ -f "$FAKE_KUBECTL/refusal" ]; then cat "$FAKE_KUBECTL/refusal" >&2; exit 1; fi ;;
esac
"""


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, found: Remediation) -> None:
        (self.folder / "remediations.reme.dev").write_text(json.dumps(found.manifest()))

    def refuses(self, words: str) -> None:
        (self.folder / "refusal").write_text(words)

    def keeps(self, **data: str) -> None:
        (self.folder / "configmap").write_text(json.dumps({"data": data}))

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    @property
    def sent(self) -> dict[str, Any]:
        (patch,) = [line for line in self.asked if line.startswith("patch ")]
        body = patch.partition("--patch ")[2]
        found: dict[str, Any] = json.JSONDecoder().raw_decode(body)[0]["spec"]
        return found


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    binary = tmp_path / "kubectl"
    binary.write_text(FAKE)
    binary.chmod(0o755)
    monkeypatch.setenv("REME_KUBECTL", str(binary))
    monkeypatch.setenv("FAKE_KUBECTL", str(tmp_path))
    return Cluster(tmp_path)


def lines(found: Remediation, paint: Paint | None = None) -> str:
    return "\n".join(show(found, paint or Paint()))


def test_the_record_is_shown_with_its_plan() -> None:
    said = lines(waiting())
    assert "Deployment cart" in said
    assert "      spec.replicas\n      - 1\n      + 2" in said
    assert PLAN_DIGEST in said
    assert "kubectl reme approve cart-down-12345678 -n shop" in said


def test_colours_only_where_there_are_any() -> None:
    assert "\033[" not in lines(waiting())
    assert "\033[32m      + 2\033[0m" in lines(waiting(), Paint(True))


@pytest.mark.parametrize(
    "hostile", ["\033[2J", "a\rb", "x\ny", "\u202eabc", "\u2066z", "\x07", "\x9b31m", "\u2028"]
)
def test_foreign_text_cannot_move_the_cursor_nor_turn_a_line_around(hostile: str) -> None:
    assert escaped(hostile).isprintable()
    change = CHANGE.model_copy(update={"after": hostile, "field": f"data[{hostile}]"})
    found = waiting(changes=[change], message=hostile)
    assert all(line.isprintable() for line in show(found, Paint()))


def test_all_steps_of_the_way_are_shown() -> None:
    record = ApprovalRecord(
        decision=ApprovalDecision.REJECT,
        by="ann",
        time=NOW,
        playbook=DIGEST,
        plan=PLAN_DIGEST,
        reason="no",
        refusal="",
    )
    said = lines(waiting(approvals=[record]))
    assert "Reject by ann" in said
    assert ": no" in said


def test_what_is_listed_is_in_columns() -> None:
    head, row = table([waiting()], later(90), everywhere=True)
    assert head.split() == ["NAMESPACE", "NAME", "TARGET", "FAULT", "STATE", "AGE"]
    assert row.split()[:3] == ["shop", "cart-down-12345678", "Deployment/cart"]
    assert row.split()[-1] == "1m"


def test_only_a_plan_waits() -> None:
    assert waits(waiting())
    assert not waits(remediation(planned(), mode="Auto"))
    assert not waits(over())
    assert not waits(remediation(planned(plan=plan(complete=False)), mode="Approve"))


def test_a_decision_is_about_what_was_read() -> None:
    said = approval(waiting(), ApprovalDecision.APPROVE, "ann")["approval"]
    assert (said["attempt"], said["playbook"], said["plan"]) == (1, DIGEST, PLAN_DIGEST)
    assert said["edit"] is None, "a merge would keep the edit of before"
    with pytest.raises(CliError, match="does not wait"):
        approval(over(), ApprovalDecision.APPROVE, "ann")


def test_an_undo_is_asked_for_once() -> None:
    assert undo(over(), "ann")["undo"] == {"by": "ann", "number": 1, "reason": None}
    with pytest.raises(CliError, match="not over"):
        undo(waiting(), "ann")
    asked = over(undo={"by": "bob", "number": 1})
    with pytest.raises(CliError, match="asked for already, by bob"):
        undo(asked, "ann")


def test_approve_sends_the_plan_and_the_name_of_the_person(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.holds(waiting())
    assert main(["approve", "cart-down-12345678", "-n", "shop", "--yes", "--reason", "ok"]) == 0
    assert "+ 2" in capsys.readouterr().out
    assert cluster.sent["approval"]["by"] == "ann"
    assert cluster.sent["approval"]["plan"] == PLAN_DIGEST
    assert all("--namespace shop" in line for line in cluster.asked)


def test_approve_wants_to_be_sure(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.holds(waiting())
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["approve", "x"]) == 1
    assert "--yes" in capsys.readouterr().err
    assert main(["approve", "x", "--plan", DIGEST]) == 1
    assert "any more" in capsys.readouterr().err
    assert not [line for line in cluster.asked if line.startswith("patch")]
    assert main(["approve", "x", "--plan", PLAN_DIGEST]) == 0


CALLS: list[tuple[list[str], Callable[[], Remediation], dict[str, Any]]] = [
    (["cancel", "x"], waiting, {"cancel": True}),
    (["suspend", "x"], waiting, {"suspend": True}),
    (["resume", "x"], waiting, {"suspend": False}),
    (
        ["undo", "x", "--no-wait", "--reason", "why"],
        over,
        {"undo": {"by": "ann", "number": 1, "reason": "why"}},
    ),
]


@pytest.mark.parametrize(("words", "found", "spec"), CALLS, ids=[c[0][0] for c in CALLS])
def test_a_word_is_a_patch(
    cluster: Cluster, words: list[str], found: Callable[[], Remediation], spec: dict[str, Any]
) -> None:
    cluster.holds(found())
    assert main(words) == 0
    assert cluster.sent == spec


def test_reject_needs_a_reason(cluster: Cluster) -> None:
    cluster.holds(waiting())
    with pytest.raises(SystemExit):
        main(["reject", "x"])
    assert main(["reject", "x", "--reason", "not now"]) == 0
    assert cluster.sent["approval"]["decision"] == "Reject"
    assert cluster.sent["approval"]["reason"] == "not now"


def test_a_refusal_is_the_server_s_own_words_and_no_trace(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.holds(waiting())
    cluster.refuses("Error from server (Forbidden): who decides needs the verb approve")
    assert main(["approve", "x", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "needs the verb approve" in said
    assert "Traceback" not in said


def test_what_is_not_there_is_said(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["show", "nobody"]) == 1
    assert "nothing here" in capsys.readouterr().err
    monkeypatch.setenv("REME_KUBECTL", "/no/such/kubectl")
    assert main(["list"]) == 1
    assert "is not installed" in capsys.readouterr().err


def test_an_object_of_another_version_is_said(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    (cluster.folder / "remediations.reme.dev").write_text('{"metadata": {"name": "x"}}')
    assert main(["show", "x"]) == 1
    assert "another version" in capsys.readouterr().err


def test_an_edit_that_the_gate_refuses_is_said(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cluster.holds(waiting())
    file = tmp_path / "playbook.yaml"
    file.write_text("- a: b\n")
    assert main(["edit", "x", "-f", str(file), "--timeout", "0"]) == 1
    assert "no answer of the operator" in capsys.readouterr().err
    assert cluster.sent["approval"]["edit"] == "- a: b\n"


def test_the_editor_gets_the_playbook_that_waits(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.holds(waiting())
    cluster.keeps(text='[{"hosts": "localhost", "tasks": []}]')
    monkeypatch.setenv("KUBE_EDITOR", "true")
    assert main(["edit", "x"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/localhost/elsewhere/")
    assert main(["edit", "x", "--timeout", "0"]) == 1
    assert "elsewhere" in cluster.sent["approval"]["edit"]


def test_preferences_have_both_versions_and_what_was_asked() -> None:
    kept = {
        "prompt": json.dumps({"messages": [{"role": "user", "content": "?"}]}),
        "playbook": "[1]",
        "edit": "[2]",
        "later": "[3]",
    }

    def named(name: str) -> ArtifactReference:
        return text(name)

    def record(decision: ApprovalDecision, **fields: Any) -> ApprovalRecord:
        return ApprovalRecord(
            decision=decision, by="ann", time=NOW, playbook=DIGEST, plan=PLAN_DIGEST, **fields
        )

    edit = record(ApprovalDecision.EDIT, original=named("playbook"), edit=named("edit"))
    refused = edit.model_copy(update={"refusal": "no"})
    approve = record(ApprovalDecision.APPROVE, reason="better")
    found = waiting(playbook=named("later"), approvals=[refused, edit, approve])
    pairs = list(preferences(found, lambda r: kept.get(r.name)))
    assert [(p["decision"], p["chosen"], p["rejected"]) for p in pairs] == [
        ("Edit", "[2]", "[1]"),
        ("Approve", "[3]", None),
    ]
    assert pairs[0]["prompt"] == [{"role": "user", "content": "?"}]
    assert "ann" not in json.dumps(pairs), "who it was is nobody's business in training"
    rejected = waiting(approvals=[record(ApprovalDecision.REJECT, reason="no")])
    (pair,) = preferences(rejected, lambda r: kept.get(r.name))
    assert (pair["chosen"], pair["rejected"]) == (None, "[1]")
    assert list(preferences(rejected, lambda _: None)) == []
