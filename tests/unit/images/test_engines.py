from pathlib import Path

import pytest

from reme_images import commands, docker, engine
from reme_images.build_request import Request
from reme_images.errors import CommandError, PrerequisiteError
from reme_images.settings import Settings


def only(monkeypatch: pytest.MonkeyPatch, *installed: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name in installed else None)


def test_without_any_engine_it_is_said_what_each_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "buildah")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(PrerequisiteError) as caught:
        engine.choose(Settings(Path("/cache")))
    assert "- docker is not installed" in str(caught.value)
    assert "- buildah is installed, but needs root" in str(caught.value)
    assert caught.value.exit_code == 3


def test_docker_is_taken_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "docker", "buildah")
    monkeypatch.setattr(commands, "run", lambda *_, **__: "")
    assert engine.choose(Settings(Path("/cache"))).name == "docker"


def test_buildah_is_taken_where_docker_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> str:
        raise CommandError(command, "cannot connect")

    only(monkeypatch, "docker", "buildah")
    monkeypatch.setattr(commands, "run", run)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert engine.choose(Settings(Path("/cache"))).name == "buildah"


def test_docker_keeps_what_it_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(commands, "follow", lambda command, **_: asked.append(command))
    request = Request("tools", "localhost/reme-tools:dev", Path("/repo"), Path("/log"))
    docker.Docker().build(request, print)
    assert asked[0][:4] == ["docker", "buildx", "build", "--load"]
    assert asked[0][-1] == "/repo"
