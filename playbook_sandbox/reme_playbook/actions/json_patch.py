"""Actions whose fields only a position in a list identifies: they are written as JSON patches.

Each patch first tests what is at the position, so that a list that was changed since then makes
the patch fail instead of changing another entry.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reme_api.parsing import parse_int
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.base import Action, Draft
from reme_playbook.actions.modules import K8S_JSON_PATCH, Task

Operation = dict[str, Any]


class ParsedOperation(NamedTuple):
    """One operation of a JSON patch, its path as steps."""

    op: str
    path: tuple[str, ...]
    value: Any


class JsonPatchAction(Action):
    """An action that is written as a JSON patch."""

    @abstractmethod
    def operations(self) -> list[Operation]:
        """Return the JSON patch."""

    def task(self, run_id: str = "now") -> Task:
        """Return a task of the module that sends JSON patches."""
        return {K8S_JSON_PATCH: {**self.location(), "patch": self.operations()}}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        """Return the JSON patch."""
        return [ApiRequest.json_patch(self.target, self.operations())]

    @classmethod
    @abstractmethod
    def from_operations(cls, tests: list[ParsedOperation], change: ParsedOperation) -> Draft | None:
        """Return what a patch of tests and one change amounts to; None if it is not its own.

        The compiler compares the patch with `operations` of the result, so only fields have to be
        read here.
        """


def position(step: str) -> int | None:
    """Return a position in a list; None if the step is none."""
    return parse_int(step, maximum=999)
