"""Builds the images whose inputs changed since they were built."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reme_cluster import progress
from reme_cluster.files import read_json, write_json
from reme_images import base_image, wheels
from reme_images.build_network import network_secrets
from reme_images.cache_key import files_below, image_key
from reme_images.dockerfile import required_stages, stages
from reme_images.engine import BuildRequest, Engine
from reme_images.settings import ROOT, Settings


@dataclass(frozen=True)
class Record:
    """The key from which an image was built, and its id."""

    key: str
    image_id: str


def build(settings: Settings, engine: Engine, names: Sequence[str]) -> None:
    """Build images, except those that exist and are unchanged.

    Raises:
        PrerequisiteError: a build needs something that is missing; nothing was built.
        CommandError: a build failed; those before it are done.
    """
    base = base_image.find(settings, engine)
    all_stages = stages((ROOT / "Dockerfile").read_text())
    keys: dict[str, str] = {}
    for name in names:
        key = image_key(required_stages(all_stages, name), base.ids, files_below(ROOT))
        image_id = engine.image_id(settings.image(name))
        if image_id and read_record(settings, engine, name) == Record(key, image_id):
            progress.say(f"  = {settings.image(name)} is unchanged")
        else:
            keys[name] = key
    # Checked before the first build, because builds take long.
    wheel_folder = _wheels(settings) if "model" in keys else None
    for name, key in keys.items():
        _build_one(settings, engine, name, key, base, wheel_folder)
    if keys:
        engine.prune(settings.logs)


def _wheels(settings: Settings) -> Path | None:
    lock = (ROOT / "requirements" / "torch.txt").read_text()
    return wheels.torch_source(settings.wheels, lock)


def _build_one(
    settings: Settings,
    engine: Engine,
    name: str,
    key: str,
    base: base_image.Base,
    wheel_folder: Path | None,
) -> None:
    image = settings.image(name)
    with (
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="empty-") as empty,
        network_secrets(settings.scratch) as secrets,
        progress.step(f"build {image}") as show_detail,
    ):

        def on_line(line: str) -> None:
            if "STEP" in line or line.startswith("#"):
                show_detail(line)

        request = BuildRequest(
            target=name,
            image=image,
            context=ROOT,
            log=settings.logs / f"{name}-{settings.tag}.log",
            arguments=base.arguments(),
            secrets=secrets,
            contexts={"wheels": wheel_folder or Path(empty)},
        )
        engine.build(request, on_line)
    record = Record(key, engine.image_id(image) or "")
    write_json(_path(settings, engine, name), asdict(record))


def read_record(settings: Settings, engine: Engine, name: str) -> Record | None:
    """Return the record of an image, if it has one."""
    try:
        return Record(**read_json(_path(settings, engine, name)))
    except TypeError:
        return None


def _path(settings: Settings, engine: Engine, name: str) -> Path:
    return settings.records / f"{engine.name}-{name}-{settings.tag}.json"
