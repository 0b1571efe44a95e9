import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from reme_cluster import binaries, cli, go_toolchain
from reme_cluster.errors import PrerequisiteError
from reme_cluster.host import cgroups, prerequisites
from reme_cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("demo", tmp_path / "state", tmp_path / "cache")


@pytest.fixture(autouse=True)
def good_host(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host that lacks nothing; returns the recorded installations."""
    changes: list[str] = []
    for module, name, value in (
        (os, "geteuid", lambda: 0),
        (prerequisites, "missing_packages", list),
        (prerequisites, "_kernel_problems", lambda: iter(())),
        (prerequisites, "_filesystem", lambda _: "ext"),
        (prerequisites, "_go_is_missing", lambda _: False),
        (prerequisites, "_apt_install", lambda packages: changes.extend(packages)),
        (go_toolchain, "fetch", lambda _: changes.append("go")),
        (cgroups, "missing_controllers", list),
        (binaries, "missing", lambda *_: []),
    ):
        monkeypatch.setattr(module, name, value)
    return changes


def test_a_good_host(settings: Settings, good_host: list[str]) -> None:
    prerequisites.ensure(settings)

    assert good_host == []
    assert not settings.state_root.exists()


def test_all_problems_are_reported_together_and_nothing_is_changed(
    settings: Settings, good_host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(prerequisites, "missing_packages", lambda: ["runc"])
    monkeypatch.setattr(prerequisites, "_package_problems", lambda _: iter(["packages: runc"]))
    monkeypatch.setattr(prerequisites, "_go_is_missing", lambda _: True)
    monkeypatch.setattr(prerequisites, "_can_fetch_go", lambda: False)
    small: Any = type("Usage", (), {"free": 1024})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: small)

    with pytest.raises(PrerequisiteError) as caught:
        prerequisites.ensure(settings)

    assert caught.value.exit_code == 2
    for word in ("root", "runc", "Go 1.", "disk space"):
        assert any(word in item for item in caught.value.missing), word
    assert good_host == []


@pytest.mark.parametrize("place", ["/run/clusters", "/var/log/clusters", "/tmp/" + "x" * 90])
def test_an_unusable_state_directory_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="--state-dir"):
        prerequisites.ensure(Settings("demo", Path(place), tmp_path))


def test_missing_packages_are_installed_after_the_checks(
    settings: Settings, good_host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prerequisites, "missing_packages", lambda: ["runc", "nftables"])
    monkeypatch.setattr(prerequisites, "_package_problems", lambda _: iter(()))
    monkeypatch.setattr(prerequisites, "_go_is_missing", lambda _: True)
    monkeypatch.setattr(prerequisites, "_can_fetch_go", lambda: True)

    prerequisites.ensure(settings)

    assert good_host == ["runc", "nftables", "go"]


def test_the_command_line_reports_missing_prerequisites_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    directories = ["--state-dir", str(tmp_path / "state"), "--cache", str(tmp_path / "cache")]

    code = cli.main(["up", "--provider", "host", *directories])

    assert code == 2
    assert "- root: run the command with sudo" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
