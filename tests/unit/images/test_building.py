from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reme_cluster.errors import CommandError
from reme_images import builder, wheels
from reme_images.engine import BuildRequest
from reme_images.errors import PrerequisiteError
from reme_images.settings import Settings


@dataclass
class FakeEngine:
    """Stores the ids of images, and records the builds."""

    name: str = "fake"
    ids: dict[str, str] = field(default_factory=lambda: {"some/base": "sha256:base"})
    built: list[str] = field(default_factory=list)
    prune_calls: int = 0
    fails_at: str = ""

    def unusable(self) -> str | None:
        raise NotImplementedError

    def image_id(self, image: str) -> str | None:
        return self.ids.get(image)

    def size(self, image: str) -> int:
        raise NotImplementedError

    def pull(self, image: str) -> None:
        raise CommandError(["pull", image], 1, "no network")

    def import_tree(self, archive: Path, image: str) -> None:
        raise NotImplementedError

    def build(self, request: BuildRequest, on_line: Callable[[str], None]) -> None:
        if request.target == self.fails_at:
            raise CommandError(["build"], 1, "broken")
        self.built.append(request.target)
        self.ids[request.image] = f"sha256:{request.target}-{len(self.built)}"

    def save(self, image: str, archive: Path) -> None:
        raise NotImplementedError

    def prune(self, logs: Path) -> None:
        self.prune_calls += 1

    def remove(self, images: list[str]) -> None:
        raise NotImplementedError


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "scratch").mkdir()
    return Settings(tmp_path, base="some/base")


def test_unchanged_images_are_not_built_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["operator", "tools"])
    builder.build(settings, engine, ["operator", "tools"])
    assert engine.built == ["operator", "tools"]
    assert engine.prune_calls == 1


def test_a_removed_image_is_built_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["tools"])
    del engine.ids[settings.image("tools")]
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_a_replaced_image_is_built_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["tools"])
    engine.ids[settings.image("tools")] = "sha256:other"
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_all_images_are_built_again_on_another_base(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["tools"])
    engine.ids["some/base"] = "sha256:newer"
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_only_successful_builds_are_recorded(engine: FakeEngine, settings: Settings) -> None:
    engine.fails_at = "sandbox"
    with pytest.raises(CommandError):
        builder.build(settings, engine, ["operator", "sandbox"])
    engine.fails_at = ""
    builder.build(settings, engine, ["operator", "sandbox"])
    assert engine.built == ["operator", "sandbox"]


def test_a_missing_wheel_of_torch_is_reported_before_any_build(
    engine: FakeEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(given: Path | None, lock: str) -> Path | None:
        raise PrerequisiteError("no torch")

    monkeypatch.setattr(wheels, "torch_source", missing)
    with pytest.raises(PrerequisiteError, match="no torch"):
        builder.build(settings, engine, ["operator", "model"])
    assert engine.built == []


def test_images_without_torch_do_not_need_its_wheel(
    engine: FakeEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "torch_source", lambda *_: pytest.fail("looked for torch"))
    builder.build(settings, engine, ["operator", "sandbox", "tools"])
    assert engine.built == ["operator", "sandbox", "tools"]
