"""Finds or makes what the images begin with."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from reme_images import commands, debian
from reme_images.atomic_files import write
from reme_images.engine import Engine
from reme_images.errors import CommandError, ImagesError
from reme_images.settings import PUBLIC_BASE, Settings

_RECORD = "base.json"


@dataclass(frozen=True)
class Base:
    """What images begin with, and what their build stages run on."""

    image: str
    build_image: str
    ids: tuple[str, ...]

    def arguments(self) -> dict[str, str]:
        """Return the arguments of a build."""
        return {"BASE_IMAGE": self.image, "BUILD_IMAGE": self.build_image}


def find(settings: Settings, engine: Engine) -> Base:
    """Return the base, making or fetching it when it is not there.

    `auto` takes the public image of Python where a registry answers, and makes one from Debian's
    packages where none does; what was decided once is kept.

    Raises:
        ImagesError: there is none and none can be made.
    """
    if settings.base == "auto":
        return _remembered(settings, engine) or _decide(settings, engine)
    if engine.image_id(settings.base) is None:
        with commands.step(f"fetch {settings.base}"):
            engine.pull(settings.base)
    return _base(engine, settings.base, settings.base)


def _base(engine: Engine, image: str, build_image: str) -> Base:
    ids = tuple(engine.image_id(name) or "" for name in (image, build_image))
    if not all(ids):
        raise ImagesError(f"{image} was made, and {engine.name} does not find it")
    return Base(image, build_image, ids)


def _remembered(settings: Settings, engine: Engine) -> Base | None:
    try:
        record = json.loads((settings.records / _RECORD).read_text())
        known = Base(record["image"], record["build_image"], tuple(record["ids"]))
    except (OSError, ValueError, KeyError):
        return None
    there = tuple(engine.image_id(name) for name in (known.image, known.build_image))
    return known if there == known.ids else None


def _decide(settings: Settings, engine: Engine) -> Base:
    try:
        with commands.step(f"fetch {PUBLIC_BASE}"):
            engine.pull(PUBLIC_BASE)
        base = _base(engine, PUBLIC_BASE, PUBLIC_BASE)
    except CommandError:
        commands.say("  no registry answers: the base is made from Debian's packages")
        base = _from_debian(settings, engine)
    write(settings.records / _RECORD, json.dumps(asdict(base)))
    return base


def _from_debian(settings: Settings, engine: Engine) -> Base:
    names = settings.image("base"), settings.image("base-build")
    with (
        commands.step("base from Debian's packages"),
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="base-") as folder,
    ):
        trees = debian.make(Path(folder), settings.logs / "base.log")
        engine.import_tree(trees.runtime, names[0])
        engine.import_tree(trees.build, names[1])
    return _base(engine, *names)
