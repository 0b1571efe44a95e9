"""Reads incidents with their expected replies, one JSON object per line."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reme_lab.training.errors import NoIncidentsError
from reme_model.prompt.schema import ABSTAIN, Abstain
from reme_model.serving.manifest import file_digest

ABSTENTIONS = tuple(json.dumps({ABSTAIN: why}, separators=(",", ":")) for why in Abstain)


class Message(BaseModel):
    """One message of the prompt."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Incident(BaseModel):
    """An incident as the model sees it, and its accepted replies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    fault: str
    kind: str = "repair"
    quality: str = ""
    messages: tuple[Message, ...] = Field(min_length=1)
    answer: str = Field(min_length=2, description="The expected reply, compact JSON.")
    acceptable: tuple[str, ...] = Field(default=(), description="All accepted replies, best first.")
    candidates: dict[str, float] = Field(
        default_factory=dict, description="Every possible reply, and its reward in the simulator."
    )

    @property
    def good(self) -> frozenset[str]:
        """The accepted replies."""
        return frozenset((self.answer, *self.acceptable))

    @property
    def possible(self) -> tuple[str, ...]:
        """The replies that the grammar allows, as far as the incident lists them; sorted.

        Empty without candidates: then the possible replies are not known.
        """
        if not self.candidates:
            return ()
        return tuple(sorted({*self.candidates, *self.good, *ABSTENTIONS}))

    def reward(self, reply: str) -> float:
        """Return the reward of a reply; zero for one that was not graded."""
        return self.candidates.get(reply, 1.0 if reply in self.good else 0.0)


def read(path: Path, limit: int | None = None) -> list[Incident]:
    """Return the incidents of a file in its order.

    Raises:
        NoIncidentsError: the file does not exist, is empty, or contains an invalid line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            incidents = _parsed(path, file, limit)
    except OSError as error:
        raise NoIncidentsError(
            f"cannot read incidents from {path} ({error.strerror}): run `make incidents`"
        ) from error
    if not incidents:
        raise NoIncidentsError(f"{path} contains no incidents: run `make incidents`")
    return incidents


def _parsed(path: Path, lines: Iterable[str], limit: int | None) -> list[Incident]:
    incidents: list[Incident] = []
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(incidents) >= limit:
            break
        if not line.strip():
            continue
        try:
            incidents.append(Incident.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            location = ".".join(str(part) for part in problem["loc"])
            raise NoIncidentsError(
                f"{path}, line {number}: {location}: {problem['msg']}"
            ) from error
    return incidents


def digest(path: Path) -> str:
    """Return the digest of a data file."""
    return file_digest(path)
