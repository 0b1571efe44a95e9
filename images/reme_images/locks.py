"""The lock files of the project, their sources, and a check that they fit together.

The first lines of a lock file contain a digest of its source, so that the check needs no network.
Locks of the images must have the versions of the lock of the tests.
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
# uv installs the images' packages; an editable install without build isolation needs editables.
_BUILD_TOOLS = ("uv>=0.9", "editables>=0.5")
# The wheels of torch and of vLLM for CPUs exist for this platform only.
_LINUX = ("--python-platform", "x86_64-manylinux_2_28")
# Of some packages only the files are needed.
_WITHOUT_DEPENDENCIES = (*_LINUX, "--no-deps")


@dataclass(frozen=True)
class Lock:
    """One lock and its source.

    Attributes:
        name: the name of the lock file, without its suffix.
        requirements: the packages that it must contain.
        overrides: requirements that replace those of dependencies.
        platform: options of uv that select the platform.
        separate_packages: packages with a lock file of their own, because they come from another
            index.
        same_versions_as: the lock whose versions this one must have.
    """

    name: str
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    platform: tuple[str, ...] = ("--universal",)
    separate_packages: tuple[str, ...] = ()
    same_versions_as: str = ""

    @property
    def digest(self) -> str:
        """The digest of the source."""
        source = [
            sorted(self.requirements),
            sorted(self.overrides),
            self.platform,
            self.separate_packages,
            self.same_versions_as,
        ]
        return f"sha256:{hashlib.sha256(json.dumps(source).encode()).hexdigest()}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its lock files."""
        return (*(f"{name}.txt" for name in self.separate_packages), f"{self.name}.txt")


def all_locks(root: Path) -> tuple[Lock, ...]:
    """Return all locks; a lock comes after the one whose versions it must have."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    folder = root / "requirements"

    def read(name: str) -> tuple[str, ...]:
        return parse_requirements((folder / f"{name}.in").read_text())

    return (
        *project_locks(project),
        Lock(
            "model",
            read("model"),
            overrides=read("model-overrides"),
            platform=_LINUX,
            separate_packages=("torch",),
        ),
        Lock("weights", read("weights"), platform=_WITHOUT_DEPENDENCIES),
        Lock("train", read("train"), platform=_LINUX),
        Lock("collection", read("collection"), platform=_WITHOUT_DEPENDENCIES),
    )


def project_locks(project: Mapping[str, Any]) -> tuple[Lock, ...]:
    """Return the locks whose source is pyproject.toml."""
    base: list[str] = project["project"]["dependencies"]
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    everything = [*base, *(line for extra in extras.values() for line in extra)]
    return (
        Lock("dev", tuple(everything + project["dependency-groups"]["dev"])),
        Lock("build", (*project["build-system"]["requires"], *_BUILD_TOOLS)),
        Lock("operator", tuple(base + extras["operator"]), same_versions_as="dev"),
        Lock("sandbox", tuple(base + extras["sandbox"]), same_versions_as="dev"),
        Lock("tools", tuple(extras["tools"]), same_versions_as="dev"),
    )


def parse_requirements(text: str) -> tuple[str, ...]:
    """Return the requirements of a file, without comments and empty lines."""
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def header(lock: Lock) -> str:
    """Return the first lines of a lock file."""
    return f"# Made by `python images/lock.py`; do not edit.\n# inputs: {lock.digest}\n"


def package_lines(text: str) -> dict[str, str]:
    """Return the lines of each package in a lock file, by its name, with all its versions."""
    lines: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if pin := _PIN.match(line):
            name = pin[1]
        if name and not line.startswith("#"):
            lines[name] = lines.get(name, "") + line
    return lines


def pins(text: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock file; several where platforms differ."""
    versions: dict[str, set[str]] = {}
    for line in text.splitlines():
        if pin := _PIN.match(line):
            versions.setdefault(pin[1], set()).add(pin[2])
    return versions


def problems(lock: Lock, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of a lock, given the text of every lock file by its name."""
    for file in lock.files:
        text = texts.get(file)
        if text is None:
            yield f"{file}: is missing"
            continue
        digest = _INPUTS.search(text)
        if digest is None or digest[1] != lock.digest:
            yield f"{file}: its source has changed"
        if "://" in text:
            yield f"{file}: contains a URL"
        for name, lines in package_lines(text).items():
            if "--hash=sha256:" not in lines:
                yield f"{file}: {name} has no hash"
        if lock.same_versions_as:
            expected = pins(texts.get(f"{lock.same_versions_as}.txt", ""))
            for name, versions in pins(text).items():
                if not versions <= expected.get(name, set()):
                    yield f"{file}: {name} is not the version in {lock.same_versions_as}.txt"
