from pathlib import Path

import pytest

from reme_images.debian import Trees, command

TREES = Trees(Path("/out/runtime.tar"), Path("/out/build.tar"))


def hooks() -> list[str]:
    words = command(TREES, "/scratch")
    return [word.removeprefix("--customize-hook=") for word in words if "-hook=" in word]


def test_no_hook_installs_or_removes_outside_the_new_tree() -> None:
    for hook in hooks():
        assert "apt" not in hook.split()
        for program in ("dpkg", "dpkg-query", "python3"):
            assert hook.count(f" {program} ") == hook.count(f'chroot "$1" {program} ')


def test_the_build_tree_is_saved_before_build_tools_are_purged() -> None:
    saved = next(i for i, hook in enumerate(hooks()) if "/out/build.tar" in hook)
    purged = next(i for i, hook in enumerate(hooks()) if "--purge" in hook)
    assert saved < purged


def test_the_mirror_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REME_DEBIAN_MIRROR", raising=False)
    assert command(TREES, "/scratch")[-1] == "/out/runtime.tar"
    monkeypatch.setenv("REME_DEBIAN_MIRROR", "http://mirror.example/debian")
    assert command(TREES, "/scratch")[-1] == "http://mirror.example/debian"
