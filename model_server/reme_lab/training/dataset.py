"""Reads traces: incidents with the expert's reply, one JSON object per line."""

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
    """One message of the conversation that asks."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Incident(BaseModel):
    """An incident as the model sees it, and what may be answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    fault: str
    kind: str = "repair"
    quality: str = ""
    messages: tuple[Message, ...] = Field(min_length=1)
    answer: str = Field(min_length=2, description="The expert's reply, compact JSON.")
    acceptable: tuple[str, ...] = Field(default=(), description="All good replies, best first.")
    candidates: dict[str, float] = Field(
        default_factory=dict, description="Every possible reply, and its reward in the simulator."
    )

    @property
    def good(self) -> frozenset[str]:
        """The replies that count as right."""
        return frozenset((self.answer, *self.acceptable))

    @property
    def possible(self) -> tuple[str, ...]:
        """What the grammar would let the model write, as far as the trace tells; sorted.

        A trace without candidates tells nothing: then there is no telling what is possible.
        """
        if not self.candidates:
            return ()
        return tuple(sorted({*self.candidates, *self.good, *ABSTENTIONS}))

    def reward(self, reply: str) -> float:
        """Return the reward of a reply; zero for one that the simulator was not asked about."""
        return self.candidates.get(reply, 1.0 if reply in self.good else 0.0)


def read(path: Path, limit: int | None = None) -> list[Incident]:
    """Return the traces of a file, in its order.

    Raises:
        NoTracesError: the file is not there, is empty, or a line of it is no trace.
    """
    try:
        with path.open(encoding="utf-8") as file:
            traces = _parsed(path, file, limit)
    except OSError as error:
        raise NoIncidentsError(
            f"no traces at {path} ({error.strerror}): run `make traces`"
        ) from error
    if not traces:
        raise NoIncidentsError(f"{path} holds no traces: run `make traces`")
    return traces


def _parsed(path: Path, lines: Iterable[str], limit: int | None) -> list[Incident]:
    found: list[Incident] = []
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(found) >= limit:
            break
        if not line.strip():
            continue
        try:
            found.append(Incident.model_validate_json(line))
        except ValidationError as error:
            what = error.errors()[0]
            where = ".".join(str(part) for part in what["loc"])
            raise NoIncidentsError(f"{path}, line {number}: {where}: {what['msg']}") from error
    return found


def digest(path: Path) -> str:
    """Return the digest by which a run remembers its data."""
    return file_digest(path)
