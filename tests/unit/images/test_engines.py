from pathlib import Path

import pytest

from reme_cluster import commands
from reme_cluster.errors import CommandError
from reme_images import cli, docker
from reme_images.engine import BuildRequest
from reme_images.errors import PrerequisiteError
from reme_images.settings import Settings


def install(monkeypatch: pytest.MonkeyPatch, *installed: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name in installed else None)


def test_the_error_without_an_engine_says_what_each_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "buildah")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(PrerequisiteError) as caught:
        cli.choose_engine(Settings(Path("/cache")))
    assert "- docker is not installed" in str(caught.value)
    assert "- buildah is installed, but needs root" in str(caught.value)
    assert caught.value.exit_code == 3


def test_docker_is_chosen_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "docker", "buildah")
    monkeypatch.setattr(commands, "run", lambda *_, **__: "")
    assert cli.choose_engine(Settings(Path("/cache"))).name == "docker"


def test_buildah_is_chosen_where_docker_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> str:
        raise CommandError(command, 1, "cannot connect")

    install(monkeypatch, "docker", "buildah")
    monkeypatch.setattr(commands, "run", run)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert cli.choose_engine(Settings(Path("/cache"))).name == "buildah"


def test_docker_loads_built_images_into_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    commands_run: list[list[str]] = []
    monkeypatch.setattr(commands, "run_with_log", lambda command, **_: commands_run.append(command))
    request = BuildRequest("tools", "localhost/reme-tools:dev", Path("/repo"), Path("/log"))
    docker.Docker().build(request, print)
    assert commands_run[0][:4] == ["docker", "buildx", "build", "--load"]
    assert commands_run[0][-1] == "/repo"
