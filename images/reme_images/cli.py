"""The command line of `images/build.py`: build, load, list, clean."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reme_cluster import progress
from reme_cluster.errors import ClusterError
from reme_cluster.lock import exclusive
from reme_images import builder, cluster_load, wheels
from reme_images.buildah import Buildah
from reme_images.docker import Docker
from reme_images.engine import Engine
from reme_images.errors import ImagesError, PrerequisiteError
from reme_images.settings import IMAGES, Settings, default_cache

_LOCK_SECONDS = 7200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `errors.py`)."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings(
            cache=options.cache or default_cache(),
            tag=options.tag,
            base=options.base,
            wheels=wheels.directory(options.wheels),
        )
        engine = choose_engine(settings)
        options.run(options, settings, engine)
    except (ImagesError, ClusterError) as error:
        progress.say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        progress.say("\ninterrupted: run the same command again to continue")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--tag", default="dev", help="the tag of the images (default: dev)")
    common.add_argument(
        "--base",
        default="auto",
        help="the base of the images; auto is python:3.11-slim where a registry answers, "
        "or else an image of Debian's packages",
    )
    common.add_argument("--wheels", type=Path, help="directory with torch's wheel ($REME_WHEELS)")
    common.add_argument("--cache", type=Path, help="the builder's directory ($REME_CACHE/images)")
    parser = argparse.ArgumentParser(prog="python images/build.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("build", _build, "build the images that changed"),
        ("load", _load, "load images into a cluster"),
        ("list", _list, "show the images and their sizes"),
        ("clean", _clean, "remove the images and the builder's cache"),
    ):
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(run=run)
        if name in {"build", "load"}:
            command.add_argument("names", nargs="*", metavar="IMAGE", help=", ".join(IMAGES))
        if name == "load":
            command.add_argument("--cluster", default="reme", help="the cluster (default: reme)")
    return parser


def choose_engine(settings: Settings) -> Engine:
    """Return the engine to build with: Docker where it answers, or else buildah.

    Raises:
        PrerequisiteError: neither can be used; the message says why.
    """
    reasons = {}
    engines: tuple[Engine, ...] = (Docker(), Buildah(settings.cache))
    for engine in engines:
        reason = engine.unusable()
        if reason is None:
            return engine
        reasons[engine.name] = reason
    raise PrerequisiteError(
        "this machine has no engine that builds images:\n"
        + "".join(f"- {name} {reason}\n" for name, reason in reasons.items())
        + "Start Docker, or run `apt-get install buildah mmdebstrap` as root"
    )


def image_names(arguments: Sequence[str]) -> list[str]:
    """Return the named images, each once; without names all images.

    Raises:
        ImagesError: a name is unknown.
    """
    unknown = sorted(set(arguments) - set(IMAGES))
    if unknown:
        raise ImagesError(f"no image {', '.join(unknown)}: there are {', '.join(IMAGES)}")
    return list(dict.fromkeys(arguments)) or list(IMAGES)


@contextmanager
def _exclusive_cache(settings: Settings) -> Iterator[None]:
    """Keep other builders away from the cache, and start with an empty scratch directory."""
    with exclusive(settings.cache / ".lock", "the image build", wait_seconds=_LOCK_SECONDS):
        shutil.rmtree(settings.scratch, ignore_errors=True)
        settings.scratch.mkdir()
        yield


def _build(options: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    start = time.monotonic()
    names = image_names(options.names)
    with _exclusive_cache(settings):
        builder.build(settings, engine, names)
    seconds = progress.duration(time.monotonic() - start)
    progress.say(f"images are up to date, built with {engine.name}, after {seconds}")


def _load(options: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    names = image_names(options.names)
    with _exclusive_cache(settings):
        archives = [cluster_load.export(settings, engine, name) for name in names]
    cluster_load.load(options.cluster, archives)


def _list(options: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    del options
    for name in IMAGES:
        image = settings.image(name)
        image_id = engine.image_id(image)
        size = f"{engine.size(image) / 1e6:7.0f} MB" if image_id else "not built"
        print(f"{image:32} {size:>10}  {(image_id or '').removeprefix('sha256:')[:12]}")


def _clean(options: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    del options
    with _exclusive_cache(settings):
        engine.remove([settings.image(name) for name in (*IMAGES, "base", "base-build")])
        for path in settings.cache.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
    progress.say(f"removed everything in {settings.cache}")


if __name__ == "__main__":
    sys.exit(main())
