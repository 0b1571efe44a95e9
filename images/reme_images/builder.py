"""Builds the images whose inputs changed since they were built."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reme_images import base_image, build_network, commands, wheels
from reme_images.atomic_files import write
from reme_images.build_request import Request
from reme_images.cache_key import files_below, image_key
from reme_images.dockerfile import closure, stages
from reme_images.engine import Engine
from reme_images.settings import ROOT, Settings


@dataclass(frozen=True)
class Record:
    """What an image was built from, and what came of it."""

    key: str
    image_id: str


def build(settings: Settings, engine: Engine, names: Sequence[str]) -> None:
    """Build images, leaving out those that are there and unchanged.

    Raises:
        PrerequisiteError: something is missing that a build will need; nothing was built.
        CommandError: a build failed; those before it are done.
    """
    found = base_image.find(settings, engine)
    every = stages((ROOT / "Dockerfile").read_text())
    waiting: dict[str, str] = {}
    for name in names:
        key = image_key(closure(every, name), found.ids, files_below(ROOT))
        record = read_record(settings, engine, name)
        if (
            record
            and record.key == key
            and record.image_id == engine.image_id(settings.image(name))
        ):
            commands.say(f"  = {settings.image(name)} is unchanged")
        else:
            waiting[name] = key
    # Asked before anything long begins.
    folder = _wheels(settings) if "model" in waiting else None
    for name, key in waiting.items():
        _build_one(settings, engine, name, key, found, folder)
    if waiting:
        engine.tidy(settings.logs)


def _wheels(settings: Settings) -> Path | None:
    lock = (ROOT / "requirements" / "torch.txt").read_text()
    return wheels.torch_source(settings.wheels, lock)


def _build_one(
    settings: Settings,
    engine: Engine,
    name: str,
    key: str,
    found: base_image.Base,
    folder: Path | None,
) -> None:
    image = settings.image(name)
    with (
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="empty-") as empty,
        build_network.of_this_machine(settings.scratch) as way,
        commands.step(f"build {image}") as now_at,
    ):

        def show(line: str) -> None:
            if "STEP" in line or line.startswith("#"):
                now_at(line)

        request = Request(
            target=name,
            image=image,
            context=ROOT,
            log=settings.logs / f"{name}-{settings.tag}.log",
            arguments=found.arguments(),
            secrets=way.secrets,
            contexts={"wheels": folder or Path(empty)},
        )
        engine.build(request, show)
    record = Record(key, engine.image_id(image) or "")
    write(_path(settings, engine, name), json.dumps(asdict(record)))


def read_record(settings: Settings, engine: Engine, name: str) -> Record | None:
    """Return what is written about an image, if anything is."""
    try:
        return Record(**json.loads(_path(settings, engine, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _path(settings: Settings, engine: Engine, name: str) -> Path:
    return settings.records / f"{engine.name}-{name}-{settings.tag}.json"
