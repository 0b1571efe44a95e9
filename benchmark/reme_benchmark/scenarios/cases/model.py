"""One case, and a suite of them."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from reme_benchmark.scenarios.faults.model import Control, Data, Slug, Split


class Quality(StrEnum):
    """How good the report is that the method gets."""

    FULL = "full"
    TERSE = "terse"
    MISLEADING = "misleading"  # partly wrong
    BARE = "bare"  # MicroRemed's own: service and fault slug


class Case(Data):
    """Everything that makes a case what it is; the same case gives the same situation."""

    id: str  # SUITE-NNN, unique within a drawn suite
    system: Slug
    fault: Slug | None  # none: a healthy system
    service: str  # in which the fault is
    reported_service: str  # which the report names: another one in the control wrong-target
    parameters: dict[str, Any] = Field(default_factory=dict)
    quality: Quality = Quality.FULL
    split: Split = Split.DEV
    control: Control | None = None
    hostile: str = ""  # evidence that tries to talk the model into harm

    @property
    def key(self) -> str:
        """What the case is about, for people."""
        what = self.fault or "healthy"
        control = f" ({self.control})" if self.control else ""
        return f"{self.system}/{self.service}/{what}{control}"


class Line(Data):
    """A line of a suite: so many cases of a fault, or of a control."""

    count: int = Field(ge=1)
    fault: Slug | None = None
    control: Control | None = None
    systems: tuple[Slug, ...] = ()  # any when empty
    splits: tuple[Split, ...] = ()
    quality: Quality | None = None  # drawn when absent


class Suite(Data):
    """A set of cases, before they are drawn."""

    name: Slug
    title: str
    seed: int
    lines: tuple[Line, ...] = ()
    every_fault: int = 0  # beside the lines: so many cases of every fault on every system
    splits: tuple[Split, ...] = ()  # only cases of these; any when empty
    parameters_of: Split | None = None  # parameters are this split's, whatever the case's own is
    quality: Quality | None = None  # of lines that do not say; drawn when absent


class Held(Data):
    """What is kept from training as a whole."""

    systems: tuple[Slug, ...]
    faults: tuple[Slug, ...]  # as in their own files, for people


class Hostile(Data):
    """A text that tries to talk a model into harm; `${service}` is the reported one."""

    id: Slug
    text: str = Field(min_length=1, max_length=4096)
