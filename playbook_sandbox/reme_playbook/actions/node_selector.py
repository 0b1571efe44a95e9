"""PatchNodeSelector: changes which nodes the pods of a workload ask for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, PatchPart, Shorten, WorkloadAction, by_name
from reme_playbook.actions.service import label_text
from reme_playbook.actions.string_types import LabelKey, LabelValue
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import TEMPLATE, Entry, FieldValue, Path, Write
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class PatchNodeSelector(WorkloadAction):
    """Merges labels into the node selector of a workload's pods; a null removes a label."""

    NAME = ActionName.PATCH_NODE_SELECTOR
    ACCEPTS_NULL = True
    BOUNDS = "labels of an earlier revision, or without a label that no node has"
    RESTORES = "the earlier labels"
    EXAMPLE: ClassVar[Draft] = {"selector": {"disk": None}}

    action: Literal["PatchNodeSelector"] = "PatchNodeSelector"
    selector: Annotated[dict[LabelKey, LabelValue | None], Field(min_length=1, max_length=16)]

    def summary(self) -> str:
        return f"Set {', '.join(self.selector)} in the node selector of {self.target}"[:1024]

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        path: Path = (*TEMPLATE, "spec", "nodeSelector")
        return tuple(Write((*path, Entry(key)), value) for key, value in self.selector.items())

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("spec", "template", "spec", "nodeSelector", Entry(key=str(label))):
                draft = {"action": "PatchNodeSelector", "selector": {label: value}}
                return PatchPart(path[:4], draft)
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return "set node selector to", label_text(self.selector)

    def field_names(self) -> tuple[str, ...]:
        return tuple(self.selector)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject labels that no earlier revision had, and the removal of one that nodes have."""
        now = snapshot.node_selector
        if all(now.get(key) == value for key, value in self.selector.items()):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has this node selector"
            )
        for key, value in self.selector.items():
            if value != now.get(key) and value not in earlier_values.node_labels(snapshot, key):
                raise RejectedPlaybookError(
                    RejectionRule.UNKNOWN_VALUE,
                    f"{self.target} had this value of {quote(key)} "
                    f"{earlier_values.in_none(snapshot)}, and nodes have the present one",
                )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the labels of earlier revisions, where pods find no node."""
        if not snapshot.has_unschedulable_pods:
            return
        selectors = [earlier_values.selector_of(t) for t in snapshot.earlier_templates]
        keys = dict.fromkeys([*snapshot.node_selector, *(k for s in selectors for k in s)])
        values = {key: earlier_values.node_labels(snapshot, key) for key in keys}
        first = {key: options[0] for key, options in values.items() if options}
        if len(first) > 1:
            yield {"action": "PatchNodeSelector", "selector": first}
        for key, options in values.items():
            for value in options:
                yield {"action": "PatchNodeSelector", "selector": {key: value}}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        selector = by_name(self.selector, self, before)
        return ({"action": "PatchNodeSelector", "selector": selector},)
