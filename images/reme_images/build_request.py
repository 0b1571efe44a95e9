"""One build, as both engines understand it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One image to build.

    Attributes:
        target: the stage of the Dockerfile.
        image: the full name that the image gets.
        context: the folder with the Dockerfile.
        log: where the output is kept.
        arguments: build arguments.
        secrets: files that commands of the build may read, by name.
        contexts: folders that stand for stages, by the stage's name.
    """

    target: str
    image: str
    context: Path
    log: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    contexts: Mapping[str, Path] = field(default_factory=dict)

    def options(self) -> list[str]:
        """Return the options that both engines spell the same."""
        words = ["--target", self.target, "--tag", self.image]
        for key, value in self.arguments.items():
            words += ["--build-arg", f"{key}={value}"]
        for key, path in self.secrets.items():
            words += ["--secret", f"id={key},src={path}"]
        for key, path in self.contexts.items():
            words += ["--build-context", f"{key}={path}"]
        return words
