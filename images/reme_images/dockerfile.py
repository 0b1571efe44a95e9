"""Reads the stages of a Dockerfile and the files that each copies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\[ \t]*\n")
_FROM = re.compile(r"FROM\s+(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?$", re.IGNORECASE)
_OTHER_STAGE = re.compile(r"(?:--from=|\bfrom=)([\w.-]+)")


@dataclass(frozen=True)
class Stage:
    """One stage: its base and its instructions."""

    name: str
    base: str
    instructions: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The patterns of the files that it copies from the repository."""
        return tuple(p for line in self.instructions for p in _copied(line))

    @property
    def uses(self) -> tuple[str, ...]:
        """The other stages and images from which it copies files."""
        return tuple(name for line in self.instructions for name in _OTHER_STAGE.findall(line))


def stages(text: str) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in their order."""
    by_name: dict[str, Stage] = {}
    for line in _instructions(text):
        if match := _FROM.match(line):
            name = match["name"] or str(len(by_name))
            by_name[name] = Stage(name, match["base"], ())
        elif by_name:
            last = next(reversed(by_name.values()))
            by_name[last.name] = Stage(last.name, last.base, (*last.instructions, line))
    return by_name


def required_stages(all_stages: dict[str, Stage], target: str) -> list[Stage]:
    """Return a target and the stages that it depends on, in their order."""
    required, to_visit = set[str](), [target]
    while to_visit:
        name = to_visit.pop()
        if name in all_stages and name not in required:
            required.add(name)
            to_visit += [all_stages[name].base, *all_stages[name].uses]
    return [stage for stage in all_stages.values() if stage.name in required]


def _instructions(text: str) -> Iterator[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines():
        if words := line.split():
            yield " ".join(words)


def _copied(line: str) -> tuple[str, ...]:
    """Return the patterns that a COPY from the repository copies."""
    words = line.split()
    if words[0].upper() not in {"COPY", "ADD"}:
        return ()
    flags = [word for word in words[1:] if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return ()
    return tuple(words[1 + len(flags) : -1])
