import json
from pathlib import Path

import pytest

from reme_cluster import cli, go_toolchain
from reme_cluster.host.provider import HostProvider
from reme_cluster.kind import KindProvider
from reme_cluster.provider import ComponentStatus, NodeStatus, Status
from reme_cluster.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_CLUSTER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("REME_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REME_CLUSTER_NAME", raising=False)


def test_settings_come_from_options_then_environment_then_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings.resolve().state_dir == tmp_path / "state" / "reme"
    assert Settings.resolve("other", "/elsewhere").state_dir == Path("/elsewhere/other")
    monkeypatch.delenv("REME_CLUSTER_STATE")
    monkeypatch.delenv("REME_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert Settings.resolve().state_root == Path("/var/lib/reme-cluster")
    assert Settings.resolve().cache == Path("/caches/reme")


@pytest.mark.parametrize("name", ["Demo", "a_b", "-a", "a-", "", "../x", "a" * 33])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    assert cli.main(["status", f"--name={name or ' '}"]) == 1


def test_there_is_no_kubeconfig_before_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["kubeconfig", "--provider", "host"]) == 4
    assert "run `up` first" in capsys.readouterr().err


def test_status_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--provider", "host", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_down_without_a_cluster_makes_no_files(tmp_path: Path) -> None:
    assert cli.main(["down", "--provider", "host"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_not_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(go_toolchain, "version", lambda _: "go1.99.0")

    assert cli.main(["bin", "kubectl", "--no-build"]) == 1
    assert "not built yet" in capsys.readouterr().err


@pytest.mark.parametrize("docker", [True, False])
def test_kind_is_the_provider_where_docker_answers(
    monkeypatch: pytest.MonkeyPatch, docker: bool
) -> None:
    monkeypatch.setattr(cli, "docker_answers", lambda: docker)

    chosen = cli.choose_provider(Settings.resolve())

    assert isinstance(chosen, KindProvider if docker else HostProvider)


def test_the_provider_that_made_a_cluster_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "docker_answers", lambda: True)
    settings = Settings.resolve()
    settings.state_dir.mkdir(parents=True)
    (settings.state_dir / "cluster.json").write_text('{"provider": "host"}')

    assert isinstance(cli.choose_provider(settings), HostProvider)
    assert cli.main(["status", "--provider", "kind"]) == 1


def test_the_status_text_marks_components_that_have_ended() -> None:
    status = Status(
        "demo",
        "host",
        False,
        "/state",
        "/state/kubeconfig",
        [NodeStatus("demo-0", "10.160.255.2", False)],
        [
            ComponentStatus("demo-0", "etcd", 7, True, "/log"),
            ComponentStatus("demo-0", "kubelet", None, False, "/log"),
        ],
        {"kubernetes": "v1.34.4"},
    )
    text = status.as_text()

    assert "demo (host): not running" in text
    assert "NOT READY" in text
    assert "etcd                     pid 7" in text
    assert "kubelet                  DEAD" in text
    assert "versions: kubernetes v1.34.4" in text
