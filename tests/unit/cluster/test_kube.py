import json
from pathlib import Path
from typing import Any

import pytest

from reme_cluster import kubectl
from reme_cluster.errors import CommandError
from reme_cluster.host import dns


def node(status: str, heartbeat: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}
    return {"metadata": {"name": "n"}, "status": {"conditions": [condition]}}


def test_only_a_report_after_the_start_counts() -> None:
    ready = node("True", "1970-01-01T00:01:40Z")

    assert kubectl.is_ready(ready)
    assert kubectl.is_ready(ready, since=100.9)
    assert not kubectl.is_ready(ready, since=101)
    assert not kubectl.is_ready(node("False", "1970-01-01T00:01:40Z"))
    assert not kubectl.is_ready({"status": {}})


@pytest.mark.parametrize("exists", [True, False])
def test_an_object_is_created_once(monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    calls: list[tuple[list[str], str | None]] = []

    def fake_run(argv: list[str], *, stdin: str | None = None, timeout_seconds: float) -> str:
        calls.append((argv, stdin))
        if "get" in argv and not exists:
            raise CommandError(argv, 1, "not found")
        return ""

    monkeypatch.setattr(kubectl, "run", fake_run)
    client = kubectl.Kubectl(Path("kubectl"), Path("/state/kubeconfig"))

    client.ensure_raw("/api/v1/namespaces", {"metadata": {"name": "one"}})

    assert calls[0][0][-2:] == ["--raw", "/api/v1/namespaces/one"]
    assert len(calls) == (1 if exists else 2)
    if not exists:
        assert json.loads(calls[1][1] or "") == {"metadata": {"name": "one"}}


@pytest.mark.parametrize("manifest", sorted(kubectl.MANIFESTS.glob("*.yaml")), ids=lambda p: p.name)
def test_manifests_leave_no_value_open(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def fake_run(argv: list[str], *, stdin: str, timeout_seconds: float) -> str:
        sent.append(stdin)
        return ""

    monkeypatch.setattr(kubectl, "run", fake_run)
    values = {"DNS_ADDRESS": "1.2.3.4", "COREDNS_IMAGE": "dns:1", "METRICS_SERVER_IMAGE": "m:1"}

    kubectl.Kubectl(Path("kubectl"), Path("k")).apply(manifest.name, values=values)

    assert "${" not in sent[0]


def test_a_question_is_as_the_standard_wants_it() -> None:
    assert dns.query(1, "a.bc") == (
        b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01"
    )


@pytest.mark.parametrize(
    ("reply", "good"),
    [
        (b"\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", True),
        (b"\x00\x08\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", False),  # another question's
        (b"\x00\x07\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00", False),  # no such name
        (b"\x00\x07\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00", False),  # no address
        (b"", False),
    ],
)
def test_only_an_answer_is_an_answer(reply: bytes, good: bool) -> None:
    assert dns.is_success(7, reply) is good
