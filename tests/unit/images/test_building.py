from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reme_images import builder, wheels
from reme_images.build_request import Request
from reme_images.errors import CommandError, PrerequisiteError
from reme_images.settings import Settings


@dataclass
class FakeEngine:
    """Keeps the ids of images, and what was asked of it."""

    name: str = "fake"
    ids: dict[str, str] = field(default_factory=lambda: {"some/base": "sha256:base"})
    built: list[str] = field(default_factory=list)
    tidied: int = 0
    fails_at: str = ""

    def image_id(self, image: str) -> str | None:
        return self.ids.get(image)

    def size(self, image: str) -> int:
        raise NotImplementedError

    def pull(self, image: str) -> None:
        raise CommandError(["pull", image], "no network")

    def import_tree(self, archive: Path, image: str) -> None:
        raise NotImplementedError

    def build(self, request: Request, each_line: Callable[[str], None]) -> None:
        if request.target == self.fails_at:
            raise CommandError(["build"], "broken")
        self.built.append(request.target)
        self.ids[request.image] = f"sha256:{request.target}-{len(self.built)}"

    def save(self, image: str, archive: Path) -> None:
        raise NotImplementedError

    def tidy(self, logs: Path) -> None:
        self.tidied += 1

    def remove(self, images: list[str]) -> None:
        raise NotImplementedError


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "scratch").mkdir()
    return Settings(tmp_path, base="some/base")


def test_what_is_unchanged_is_not_built_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["operator", "tools"])
    builder.build(settings, engine, ["operator", "tools"])
    assert engine.built == ["operator", "tools"]
    assert engine.tidied == 1


def test_an_image_that_is_gone_is_built_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["tools"])
    del engine.ids[settings.image("tools")]
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_an_image_that_somebody_replaced_is_built_again(
    engine: FakeEngine, settings: Settings
) -> None:
    builder.build(settings, engine, ["tools"])
    engine.ids[settings.image("tools")] = "sha256:other"
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_another_base_builds_everything_again(engine: FakeEngine, settings: Settings) -> None:
    builder.build(settings, engine, ["tools"])
    engine.ids["some/base"] = "sha256:newer"
    builder.build(settings, engine, ["tools"])
    assert engine.built == ["tools", "tools"]


def test_a_build_that_failed_is_not_remembered_and_those_before_it_are(
    engine: FakeEngine, settings: Settings
) -> None:
    engine.fails_at = "sandbox"
    with pytest.raises(CommandError):
        builder.build(settings, engine, ["operator", "sandbox"])
    engine.fails_at = ""
    builder.build(settings, engine, ["operator", "sandbox"])
    assert engine.built == ["operator", "sandbox"]


def test_a_missing_torch_is_found_out_before_anything_is_built(
    engine: FakeEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(given: Path | None, lock: str) -> Path | None:
        raise PrerequisiteError("no torch")

    monkeypatch.setattr(wheels, "torch_source", missing)
    with pytest.raises(PrerequisiteError, match="no torch"):
        builder.build(settings, engine, ["operator", "model"])
    assert engine.built == []


def test_images_without_torch_do_not_ask_for_it(
    engine: FakeEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "torch_source", lambda *_: pytest.fail("asked"))
    builder.build(settings, engine, ["operator", "sandbox", "tools"])
    assert engine.built == ["operator", "sandbox", "tools"]
