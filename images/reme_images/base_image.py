"""Finds or makes the base of the images."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from reme_cluster import progress
from reme_cluster.errors import CommandError
from reme_cluster.files import read_json, write_json
from reme_images import debian
from reme_images.engine import Engine
from reme_images.errors import ImagesError
from reme_images.settings import PUBLIC_BASE, Settings

_RECORD = "base.json"


@dataclass(frozen=True)
class Base:
    """The base of the images, and the image of their build stages."""

    image: str
    build_image: str
    ids: tuple[str, ...]

    def arguments(self) -> dict[str, str]:
        """Return the build arguments."""
        return {"BASE_IMAGE": self.image, "BUILD_IMAGE": self.build_image}


def find(settings: Settings, engine: Engine) -> Base:
    """Return the base; pull or make it when it does not exist.

    `auto` is Python's public image where a registry answers, or else an image of Debian's
    packages. The first decision is recorded and kept.

    Raises:
        ImagesError: there is no base and none can be made.
    """
    if settings.base == "auto":
        return _recorded(settings, engine) or _pull_or_make(settings, engine)
    if engine.image_id(settings.base) is None:
        with progress.step(f"pull {settings.base}"):
            engine.pull(settings.base)
    return _base(engine, settings.base, settings.base)


def _base(engine: Engine, image: str, build_image: str) -> Base:
    ids = tuple(engine.image_id(name) or "" for name in (image, build_image))
    if not all(ids):
        raise ImagesError(f"{engine.name} does not find {image}, which was just made")
    return Base(image, build_image, ids)


def _recorded(settings: Settings, engine: Engine) -> Base | None:
    record = read_json(settings.records / _RECORD)
    try:
        base = Base(record["image"], record["build_image"], tuple(record["ids"]))
    except (TypeError, KeyError):
        return None
    current_ids = tuple(engine.image_id(name) for name in (base.image, base.build_image))
    return base if current_ids == base.ids else None


def _pull_or_make(settings: Settings, engine: Engine) -> Base:
    try:
        with progress.step(f"pull {PUBLIC_BASE}"):
            engine.pull(PUBLIC_BASE)
        base = _base(engine, PUBLIC_BASE, PUBLIC_BASE)
    except CommandError:
        progress.say("  no registry answers: the base is made from Debian's packages")
        base = _from_debian(settings, engine)
    write_json(settings.records / _RECORD, asdict(base))
    return base


def _from_debian(settings: Settings, engine: Engine) -> Base:
    names = settings.image("base"), settings.image("base-build")
    with (
        progress.step("base from Debian's packages"),
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="base-") as folder,
    ):
        trees = debian.make(Path(folder), settings.logs / "base.log")
        engine.import_tree(trees.runtime, names[0])
        engine.import_tree(trees.build, names[1])
    return _base(engine, *names)
