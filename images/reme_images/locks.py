"""Which locks there are, what each is made from, and what is wrong with one.

A lock carries the digest of its source in its head, so that freshness is checked without a
network. What the digest cannot see, a pin changed by hand, is seen where two locks must agree.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INPUTS = re.compile(r"^# inputs: (sha256:[0-9a-f]{64})$", re.MULTILINE)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
# uv installs into the images; an editable install without build isolation asks for editables.
_BUILD_TOOLS = ("uv>=0.9", "editables>=0.5")
# The wheels of torch and of vLLM for processors exist for this platform only.
_LINUX = ("--python-platform", "x86_64-manylinux_2_28")
# Of some packages only the files are wanted.
_ALONE = (*_LINUX, "--no-deps")


@dataclass(frozen=True)
class Lock:
    """One lock file and everything that decides what may be in it."""

    name: str
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    platform: tuple[str, ...] = ("--universal",)
    # Packages that get a lock of their own, because they come from another index.
    apart: tuple[str, ...] = ()
    # The lock whose versions this one must have: what is tested is what is shipped.
    like: str = ""

    @property
    def digest(self) -> str:
        """The digest of the source."""
        source = [
            sorted(self.requirements),
            sorted(self.overrides),
            self.platform,
            self.apart,
            self.like,
        ]
        return f"sha256:{hashlib.sha256(json.dumps(source).encode()).hexdigest()}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that hold it."""
        return (*(f"{name}.txt" for name in self.apart), f"{self.name}.txt")


def locks(root: Path) -> tuple[Lock, ...]:
    """Return all locks; one that others must be like comes before them."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    folder = root / "requirements"

    def written(name: str) -> tuple[str, ...]:
        return requirements_in((folder / f"{name}.in").read_text())

    return (
        *project_locks(project),
        Lock(
            "model",
            written("model"),
            overrides=written("model-overrides"),
            platform=_LINUX,
            apart=("torch",),
        ),
        Lock("weights", written("weights"), platform=_ALONE),
        Lock("train", written("train"), platform=_LINUX),
        Lock("collection", written("collection"), platform=_ALONE),
    )


def project_locks(project: Mapping[str, Any]) -> tuple[Lock, ...]:
    """Return the locks whose source is pyproject.toml."""
    always: list[str] = project["project"]["dependencies"]
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    everything = [*always, *(line for extra in extras.values() for line in extra)]
    return (
        Lock("dev", tuple(everything + project["dependency-groups"]["dev"])),
        Lock("build", (*project["build-system"]["requires"], *_BUILD_TOOLS)),
        Lock("operator", tuple(always + extras["operator"]), like="dev"),
        Lock("sandbox", tuple(always + extras["sandbox"]), like="dev"),
        Lock("tools", tuple(extras["tools"]), like="dev"),
    )


def requirements_in(text: str) -> tuple[str, ...]:
    """Return the requirements of a file, without comments and empty lines."""
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def head(lock: Lock) -> str:
    """Return the first lines of a lock."""
    return f"# Made by `python images/lock.py`; do not edit.\n# inputs: {lock.digest}\n"


def blocks(text: str) -> dict[str, str]:
    """Return the lines of each package in a lock, by its name; a name may have several."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if pin := _PIN.match(line):
            name = pin[1]
        if name and not line.startswith("#"):
            found[name] = found.get(name, "") + line
    return found


def pins(text: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock; several where platforms differ."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if pin := _PIN.match(line):
            found.setdefault(pin[1], set()).add(pin[2])
    return found


def faults(lock: Lock, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a lock, given the text of every lock file by its name."""
    for file in lock.files:
        text = texts.get(file)
        if text is None:
            yield f"{file}: is missing"
            continue
        made_from = _INPUTS.search(text)
        if made_from is None or made_from[1] != lock.digest:
            yield f"{file}: its source has changed since"
        if "://" in text:
            yield f"{file}: names a host"
        for name, block in blocks(text).items():
            if "--hash=sha256:" not in block:
                yield f"{file}: {name} has no hash"
        for name, versions in pins(text).items():
            expected = pins(texts.get(f"{lock.like}.txt", "")).get(name, set())
            if lock.like and not versions <= expected:
                yield f"{file}: {name} is not the version in {lock.like}.txt"
