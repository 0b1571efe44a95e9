"""Reads from the Dockerfile what goes into an image, so that nobody has to list it twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\[ \t]*\n")
_FROM = re.compile(r"FROM\s+(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?$", re.IGNORECASE)
_OTHER_STAGE = re.compile(r"(?:--from=|\bfrom=)([\w.-]+)")


@dataclass(frozen=True)
class Stage:
    """One stage: what it begins with, and its instructions."""

    name: str
    base: str
    instructions: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The patterns of the files that it copies out of the repository."""
        return tuple(p for line in self.instructions for p in _copied(line))

    @property
    def uses(self) -> tuple[str, ...]:
        """The other stages and images that it takes files from."""
        return tuple(name for line in self.instructions for name in _OTHER_STAGE.findall(line))


def stages(text: str) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in their order."""
    found: dict[str, Stage] = {}
    for line in _instructions(text):
        if opened := _FROM.match(line):
            name = opened["name"] or str(len(found))
            found[name] = Stage(name, opened["base"], ())
        elif found:
            last = next(reversed(found.values()))
            found[last.name] = Stage(last.name, last.base, (*last.instructions, line))
    return found


def closure(every: dict[str, Stage], target: str) -> list[Stage]:
    """Return the stages that a target is made from, itself included, in their order."""
    wanted, waiting = set[str](), [target]
    while waiting:
        name = waiting.pop()
        if name in every and name not in wanted:
            wanted.add(name)
            waiting += [every[name].base, *every[name].uses]
    return [stage for stage in every.values() if stage.name in wanted]


def _instructions(text: str) -> Iterator[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines():
        if words := line.split():
            yield " ".join(words)


def _copied(line: str) -> tuple[str, ...]:
    """Return the sources of a COPY from the repository."""
    words = line.split()
    if words[0].upper() not in {"COPY", "ADD"}:
        return ()
    flags = [word for word in words[1:] if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return ()
    return tuple(words[1 + len(flags) : -1])
