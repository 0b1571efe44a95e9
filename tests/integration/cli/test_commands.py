"""The commands of `kubectl reme`: what they print, what they send, how they fail."""

import io
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_api.base import ArtifactReference
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Change, Remediation
from reme_kube.kubeconfig import Context, load_context
from tests.doubles.builders import (
    DIGEST,
    NOW,
    PLAN_DIGEST,
    executed,
    plan,
    planned,
    remediation,
    text,
)
from tests.doubles.fake_api import refusal
from tests.integration.cli.conftest import NAME, NAMESPACE, Cluster

ROOT = Path(__file__).resolve().parents[3]
MISSING = "the server could not find the requested resource"
CHANGE = Change(kind="Deployment", object_name="cart", field="spec.replicas", before="1", after="2")


def waiting(**fields: Any) -> Remediation:
    base: dict[str, Any] = {"plan": plan(clean=True), "changes": [CHANGE]}
    return remediation(planned(**(base | fields)), mode="Approve")


def over(**fields: Any) -> Remediation:
    attempt = executed(outcome=Outcome.VERIFIED, reason=Reason.PROBES_PASSED)
    return remediation(attempt, outcome=Outcome.VERIFIED, **fields)


def test_list_shows_what_waits(cluster: Cluster) -> None:
    assert "No remediations found in namespace shop." in cluster.outputs("list")[1]
    done = over()
    done.metadata.name = "cart-down-done"
    cluster.holds(waiting(), done)
    listed = cluster.run("list")
    assert NAME in listed
    assert "cart-down-done" in listed
    assert "NAMESPACE" not in listed
    only = cluster.run("list", "-A", "--waiting")
    assert only.startswith("NAMESPACE")
    assert NAME in only
    assert "cart-down-done" not in only


def test_list_goes_on_past_an_object_that_cannot_be_read(cluster: Cluster) -> None:
    cluster.holds(waiting())
    broken = {"metadata": {"name": "broken", "namespace": NAMESPACE}, "spec": {"target": 1}}
    cluster.api.put("remediations", broken)
    assert cluster.run("list", "--context", "here").count("\n") == 2
    warning = cluster.outputs("list")[1]
    assert "warning: remediation broken does not fit this version of reme: spec." in warning
    assert "does not fit" in cluster.run("show", "broken", fails=1)


def test_show_has_changes_in_full_length(cluster: Cluster) -> None:
    reference = ArtifactReference(name="changes", key="text", digest=DIGEST)
    result = waiting(plan=plan(clean=True).model_copy(update={"full_changes": reference}))
    cluster.holds(result)
    assert "+ 2" in cluster.run("show", NAME), "those in the record when the text is gone"
    item = {"kind": "Deployment", "object_name": "cart", "field": "x", "after": "y" * 5000}
    cluster.stores("changes", text=json.dumps([item]))
    assert "y" * 4000 in cluster.run("show", NAME)


def test_approve_sends_the_plan_and_the_name_of_the_person(cluster: Cluster) -> None:
    cluster.holds(waiting())
    printed = cluster.run("approve", NAME, "-n", NAMESPACE, "--yes", "--reason", "ok")
    assert "+ 2" in printed
    assert f"approved plan {PLAN_DIGEST}" in printed
    assert cluster.sent["approval"]["username"] == "ann"
    assert cluster.sent["approval"]["planDigest"] == PLAN_DIGEST


def test_approve_asks_or_wants_the_digest(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    cluster.holds(waiting())
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "use --yes" in cluster.run("approve", NAME, fails=1)
    assert f"is not {DIGEST}, but" in cluster.run("approve", NAME, "--plan", DIGEST, fails=1)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert "Nothing was decided" in cluster.run("approve", NAME, fails=3)
    assert cluster.patches == []
    cluster.run("approve", NAME, "--plan", PLAN_DIGEST)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    cluster.run("approve", NAME)
    assert len(cluster.patches) == 2


CALLS: list[tuple[list[str], Callable[[], Remediation], dict[str, Any]]] = [
    (["cancel", NAME], waiting, {"cancel": True}),
    (["suspend", NAME], waiting, {"suspend": True}),
    (["resume", NAME], waiting, {"suspend": False}),
    (
        ["rollback", NAME, "--no-wait", "--reason", "why"],
        over,
        {"rollback": {"username": "ann", "number": 1, "reason": "why"}},
    ),
]


@pytest.mark.parametrize(("words", "make", "spec"), CALLS, ids=[c[0][0] for c in CALLS])
def test_a_command_is_a_patch(
    cluster: Cluster, words: list[str], make: Callable[[], Remediation], spec: dict[str, Any]
) -> None:
    cluster.holds(make())
    cluster.run(*words)
    assert cluster.sent == spec


def test_an_ended_remediation_is_not_cancelled(cluster: Cluster) -> None:
    cluster.holds(over())
    assert "has ended already with Verified" in cluster.run("cancel", NAME, fails=1)


def test_rollback_waits_for_the_end(cluster: Cluster) -> None:
    cluster.holds(over())
    error = cluster.run("rollback", NAME, "--timeout", "0", fails=1)
    assert "did not answer within 0 s" in error
    ended = {
        "number": 1,
        "username": "ann",
        "startTime": NOW.isoformat(),
        "outcome": "RollbackFailed",
        "message": "forbidden",
    }
    cluster.patches.clear()
    cluster.holds(over())

    def answer(method: str, _path: str, _body: Any) -> web.Response | None:
        if method == "PATCH":
            status = {"status": {"manualRollbacks": [ended]}}
            cluster.api.edit("remediations", NAMESPACE, NAME, status)
        return None

    cluster.api.faults.append(answer)
    assert cluster.outputs("rollback", NAME, code=3)[0] == f"{NAME}: RollbackFailed: forbidden\n"


def test_reject_needs_a_reason(cluster: Cluster) -> None:
    cluster.holds(waiting())
    assert "--reason" in cluster.run("reject", NAME, fails=2)
    cluster.run("reject", NAME, "--reason", "not now")
    assert cluster.sent["approval"]["decision"] == "Reject"
    assert cluster.sent["approval"]["reason"] == "not now"


def test_an_edit_that_nobody_answers(cluster: Cluster, tmp_path: Path) -> None:
    cluster.holds(waiting())
    file = tmp_path / "playbook.yaml"
    file.write_text("- a: b\n")
    error = cluster.run("edit", NAME, "-f", str(file), "--timeout", "0", fails=1)
    assert "the operator did not answer within 0 s" in error
    assert cluster.sent["approval"]["editedPlaybook"] == "- a: b\n"
    assert "cannot be read" in cluster.run("edit", NAME, "-f", "/no/such/file", fails=1)


def test_an_edit_that_is_refused_says_why(cluster: Cluster, tmp_path: Path) -> None:
    cluster.holds(waiting())
    file = tmp_path / "playbook.yaml"
    file.write_text("- a: b\n")

    def refuse(method: str, _path: str, _body: Any) -> web.Response | None:
        if method == "PATCH":
            record = ApprovalRecord(
                decision=ApprovalDecision.EDIT,
                username="ann",
                decision_time=NOW,
                playbook_digest=DIGEST,
                plan_digest=PLAN_DIGEST,
                refusal_message="Parameter: no such thing",
            )
            cluster.holds(waiting(approvals=[record]))
        return None

    cluster.api.faults.append(refuse)
    error = cluster.run("edit", NAME, "-f", str(file), fails=3)
    assert "the edited playbook may not run: Parameter: no such thing" in error


def test_the_editor_gets_the_playbook_that_waits(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.holds(waiting(playbook=text("playbook")))
    assert "ConfigMap playbook is gone" in cluster.run("edit", NAME, fails=1)
    cluster.stores("playbook", text='[{"hosts": "localhost", "tasks": []}]')
    monkeypatch.setenv("KUBE_EDITOR", "true")
    assert "was not changed" in cluster.run("edit", NAME, fails=1)
    monkeypatch.setenv("KUBE_EDITOR", "false")
    assert "ended with 1: nothing was sent" in cluster.run("edit", NAME, fails=1)
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/localhost/elsewhere/")
    cluster.run("edit", NAME, "--timeout", "0", fails=1)
    assert "elsewhere" in cluster.sent["approval"]["editedPlaybook"]


def test_preferences_are_lines_of_json(cluster: Cluster) -> None:
    result = waiting(
        playbook=text("playbook"),
        approvals=[
            ApprovalRecord(
                decision=ApprovalDecision.REJECT,
                username="ann",
                decision_time=NOW,
                playbook_digest=DIGEST,
                plan_digest=PLAN_DIGEST,
                reason="no",
            )
        ],
    )
    cluster.holds(result)
    assert cluster.run("preferences") == "", "nothing without the prompt"
    attempt = result.status.attempts[0]
    assert attempt.generation is not None
    assert attempt.generation.prompt is not None
    cluster.stores("playbook", text="[1]")
    cluster.stores(attempt.generation.prompt.name, text=json.dumps({"messages": ["?"]}))
    (line,) = cluster.run("preferences", "-A").splitlines()
    assert json.loads(line)["rejected"] == "[1]"


# how they fail ------------------------------------------------------------------------------------


def test_a_refusal_is_the_server_s_own_message(cluster: Cluster) -> None:
    cluster.holds(waiting())

    def refuse(method: str, _path: str, _body: Any) -> web.Response | None:
        message = "who decides needs the verb approve"
        return web.json_response({"message": message}, status=403) if method == "PATCH" else None

    cluster.api.faults.append(refuse)
    error = cluster.run("approve", NAME, "--yes", fails=1)
    assert (
        error == "error: the API server refused the request: who decides needs the verb approve\n"
    )


def test_what_is_not_there(cluster: Cluster) -> None:
    assert "not found" in cluster.run("show", "nobody", fails=1)


@pytest.mark.parametrize("text", ["404 page not found", json.dumps({"message": MISSING})])
@pytest.mark.parametrize("command", [["list"], ["show", "x"], ["policy", "explain", "x"]])
def test_a_cluster_without_reme(cluster: Cluster, text: str, command: list[str]) -> None:
    cluster.api.faults.append(lambda _method, _path, _body: web.Response(text=text, status=404))
    error = cluster.run(*command, fails=1)
    assert "reme is not installed there" in error
    assert "--context" in error


def test_expired_credentials(cluster: Cluster) -> None:
    cluster.api.faults.append(refusal(401, "Unauthorized", times=9))
    error = cluster.run("list", fails=1)
    assert "did not accept the credentials" in error
    assert "Log in again" in error


def test_a_server_that_is_away(cluster: Cluster) -> None:
    here = cluster.kubeconfig
    here.write_text(here.read_text().replace(cluster.api.url, "http://127.0.0.1:1"))
    error = cluster.run("list", fails=1)
    assert "http://127.0.0.1:1 did not answer: Connect" in error
    assert error.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["nonsense"], 'Unknown command "nonsense"'),
        (["list", "--wiating"], "Did you mean --waiting?"),
        (["show"], "NAME"),
        (["show", "a", "b"], "b"),
        (["list", "--color", "pink"], "always"),
        (["edit", "a", "--timeout", "soon"], "soon"),
    ],
)
def test_a_wrong_command_line(cluster: Cluster, arguments: list[str], hint: str) -> None:
    error = cluster.run(*arguments, fails=2)
    assert hint in error
    assert "--help" in error
    assert error.count("\n") <= 3


def test_options_are_those_of_kubectl(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    def load(*arguments: Any, **options: Any) -> Context:
        loaded.append((arguments, options))
        return load_context(*arguments, **options)

    monkeypatch.setattr("reme_operator.cli.cluster.load_context", load)
    cluster.holds(waiting())
    file = str(cluster.kubeconfig)
    who = ["--as", "bob", "--as-group", "a", "--as-group", "b"]
    cluster.run("show", NAME, "--kubeconfig", file, "--context=here", *who)
    assert loaded == [((file, "here"), {"username": "bob", "groups": ("a", "b")})]
    assert "not found" in cluster.run("show", NAME, "--namespace", "other", fails=1)
    assert "--as-group needs --as" in cluster.run("list", "--as-group", "a", fails=1)
    assert "no context there" in cluster.run("list", "--context", "there", fails=1)


def test_help_and_version_need_no_cluster(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    for words in (["--help"], ["list", "-h"], ["policy", "explain", "--help"], ["--version"]):
        assert cluster.run(*words)


COMPLETE = """
source <("$@" completion bash)
COMP_WORDS=(kubectl-reme li); COMP_CWORD=1
_kubectl_reme
echo "${COMPREPLY[@]}"
COMP_WORDS=(kubectl-reme show --cont); COMP_CWORD=2
_kubectl_reme
echo "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_and_options() -> None:
    command = ["bash", "-c", COMPLETE, "bash", sys.executable, "-m", "reme_operator.cli.main"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["list", "--context"]


def test_a_reader_that_ends_is_no_error(cluster: Cluster) -> None:
    cluster.holds(waiting())
    script = (
        f"{sys.executable} -m reme_operator.cli.main show {NAME} | true; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_the_extra_is_all_that_the_program_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    allowed = {_module(line) for line in [*project["dependencies"], *extras["cli"]]}
    others = {_module(line) for lines in extras.values() for line in lines} - allowed
    assert "kopf" in others
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({sorted(others)}))\n"
        "import reme_operator.cli.main, reme_kube.kubeconfig\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _module(requirement: str) -> str:
    return re.split(r"[<>=\[ ]", requirement)[0].replace("-", "_")
