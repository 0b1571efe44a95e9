"""The command line: build, load, list, clean."""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reme_images import atomic_files, builder, cluster_load, commands, wheels
from reme_images.engine import Engine, choose
from reme_images.errors import ImagesError
from reme_images.settings import IMAGES, Settings, default_cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `errors.py`)."""
    given = _parser().parse_args(arguments)
    try:
        settings = Settings(
            cache=given.cache or default_cache(),
            tag=given.tag,
            base=given.base,
            wheels=wheels.directory(given.wheels),
        )
        engine = choose(settings)
        given.run(given, settings, engine)
    except ImagesError as error:
        commands.say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        commands.say("\ninterrupted: the same command goes on from here")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--tag", default="dev", help="the tag of the images (default: dev)")
    common.add_argument(
        "--base",
        default="auto",
        help="what images begin with; auto is python:3.11-slim where a registry answers, "
        "otherwise made from Debian's packages",
    )
    common.add_argument("--wheels", type=Path, help="folder with torch's wheel ($REME_WHEELS)")
    common.add_argument("--cache", type=Path, help="where everything is kept ($REME_CACHE/images)")
    parser = argparse.ArgumentParser(prog="python images/build.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("build", _build, "build the images that changed"),
        ("load", _load, "bring images into a cluster"),
        ("list", _list, "show the images and their sizes"),
        ("clean", _clean, "remove the images and everything that was kept to build them"),
    ):
        added = commands.add_parser(name, parents=[common], help=text, description=text)
        added.set_defaults(run=run)
        if name in {"build", "load"}:
            added.add_argument("names", nargs="*", metavar="IMAGE", help=", ".join(IMAGES))
        if name == "load":
            added.add_argument("--cluster", default="reme", help="the cluster (default: reme)")
    return parser


def names(given: Sequence[str]) -> list[str]:
    """Return the images that are meant, each once; all when none is named.

    Raises:
        ImagesError: there is no such image.
    """
    unknown = sorted(set(given) - set(IMAGES))
    if unknown:
        raise ImagesError(f"no image {', '.join(unknown)}: there are {', '.join(IMAGES)}")
    return list(dict.fromkeys(given)) or list(IMAGES)


def _build(given: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    began = time.monotonic()
    wanted = names(given.names)
    with atomic_files.alone(settings.cache):
        builder.build(settings, engine, wanted)
    commands.say(f"images are up to date, with {engine.name}, {time.monotonic() - began:.1f} s")


def _load(given: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    wanted = names(given.names)
    with atomic_files.alone(settings.cache):
        archives = [cluster_load.export(settings, engine, name) for name in wanted]
    cluster_load.load(given.cluster, archives)


def _list(given: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    del given
    for name in IMAGES:
        image = settings.image(name)
        image_id = engine.image_id(image)
        size = f"{engine.size(image) / 1e6:7.0f} MB" if image_id else "not built"
        print(f"{image:32} {size:>10}  {(image_id or '').removeprefix('sha256:')[:12]}")


def _clean(given: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    del given
    with atomic_files.alone(settings.cache):
        engine.remove([settings.image(name) for name in (*IMAGES, "base", "base-build")])
        for path in settings.cache.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
    commands.say(f"removed everything in {settings.cache}")


if __name__ == "__main__":
    sys.exit(main())
