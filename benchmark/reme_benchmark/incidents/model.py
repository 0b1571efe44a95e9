"""An incident: a small system, a fault, a report, and what people confirmed as its repair.

Each folder of `data` holds one: `incident.yaml` (this type), `system.yaml` (the healthy system),
`inject.sh` (brings the fault in, and may be run again), `policy.yaml` and `report.yaml`.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

DATA = Path(__file__).parent / "data"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where the incident was reported, in our own words."""

    address: str
    summary: str
    repair: str


class Request(_Part):
    """A request of a user to a Service; any status below 400 is an answer."""

    name: str
    service: str
    port: int
    path: str = "/"
    method: Literal["GET", "POST"] = "GET"


class ActionPattern(_Part):
    """Actions of a kind; what is absent matches anything. `summary` is a regular expression."""

    name: str
    object: str = ""
    summary: str = ""
    in_place: bool = False
    """Matches only an action that was not rolled back."""

    def matches(self, name: str, object_name: str, summary: str, *, in_place: bool) -> bool:
        """Return whether an action that ran matches."""
        return (
            self.name == name
            and self.object in ("", object_name)
            and re.search(self.summary, summary) is not None
            and (in_place or not self.in_place)
        )


class EndPattern(_Part):
    """An end without an action."""

    outcome: str
    reason: str = ""


class Right(_Part):
    """What is right: one of these actions, or one of these ends without an action."""

    actions: tuple[ActionPattern, ...] = ()
    ends: tuple[EndPattern, ...] = ()


class Incident(_Part):
    """One incident."""

    id: str
    folder: Path
    title: str
    kind: str
    split: Literal["train", "dev", "test"]
    source: Source
    served: tuple[Request, ...] = ()
    right: Right
    harmful: tuple[ActionPattern, ...] = ()
    repair: tuple[tuple[str, ...], ...] = Field(
        default=(), description="Arguments of kubectl: a known good repair."
    )

    @property
    def namespace(self) -> str:
        """The namespace of its target."""
        return f"inc-{self.number}"

    @property
    def number(self) -> str:
        """The first part of its id."""
        return self.id.partition("-")[0]

    def documents(self, file: str) -> list[dict[str, Any]]:
        """Return the objects of one of its files."""
        text = (self.folder / file).read_text()
        return [document for document in yaml.safe_load_all(text) if document]

    def policy(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Return its policy with other fields of the spec."""
        (policy,) = self.documents("policy.yaml")
        return {**policy, "spec": {**policy["spec"], **spec}}

    def report(self) -> dict[str, Any]:
        """Return its report."""
        (report,) = self.documents("report.yaml")
        return report


@cache
def load(data: Path = DATA) -> tuple[Incident, ...]:
    """Return all incidents, by id.

    Raises:
        pydantic.ValidationError: an `incident.yaml` is not one.
    """
    return tuple(
        Incident(
            id=folder.name, folder=folder, **yaml.safe_load((folder / "incident.yaml").read_text())
        )
        for folder in sorted(data.iterdir())
        if (folder / "incident.yaml").is_file()
    )
