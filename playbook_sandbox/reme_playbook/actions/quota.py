"""SetQuota: raises amounts of a ResourceQuota that keep pods from being created."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Action,
    Draft,
    PatchPart,
    Shorten,
    by_name,
    permitted_range,
    targets_of,
)
from reme_playbook.actions.resources import amount_text
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import Entry, FieldValue, Path, Write
from reme_playbook.snapshot.quantity import (
    canonical_quota,
    format_cpu,
    format_memory,
    quota_amount,
)
from reme_playbook.snapshot.quota_usage import (
    QuotaKey,
    exhausted_amounts,
    quota,
    required_amount,
)
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_STEPS = ((3, 2), (2, 1))


def _texts(value: Any) -> Any:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("must have quantities as text")
    return value


def _canonical(hard: dict[str, str]) -> dict[str, str]:
    return {key: canonical_quota(key, text) for key, text in hard.items()}


Hard = Annotated[
    dict[QuotaKey, str],
    Field(min_length=1, max_length=10),
    BeforeValidator(_texts),
    AfterValidator(_canonical),
]


class SetQuota(Action):
    """Sets amounts of a ResourceQuota."""

    NAME = ActionName.SET_QUOTA
    KINDS = frozenset({"ResourceQuota"})
    BOUNDS = (
        "an amount that is used up, so that pods of the target are missing: up to "
        "`maxIncreasePercent` more, or an earlier amount; never lowered, never removed"
    )
    RESTORES = "the earlier amounts"
    EXAMPLE: ClassVar[Draft] = {"hard": {"pods": "12"}}
    EXAMPLE_NAME = "all"

    action: Literal["SetQuota"] = "SetQuota"
    hard: Hard

    def summary(self) -> str:
        values = ", ".join(f"{key} {text}" for key, text in self.hard.items())
        return f"Set {values} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return tuple(Write(("spec", "hard", Entry(key)), text) for key, text in self.hard.items())

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("spec", "hard", Entry(key=str(key))):
                draft = {"action": "SetQuota", "hard": {key: amount_text(value)}}
                return PatchPart(path[:2], draft)
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        label = f"set {' and '.join(self.hard)} of quota {self.target.name} to"
        return label, " and ".join(self.hard.values())

    def field_names(self) -> tuple[str, ...]:
        return tuple(self.hard)

    @classmethod
    def rule_bounds(cls, rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
        yield f"up to {rule.max_increase_percent} % more"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject amounts that do not limit the target, and those that no rule allows."""
        view = quota(snapshot, self.target.name)
        assert view is not None, "only a quota that exists is in the scope of the target"
        if all(view.hard.get(key) == text for key, text in self.hard.items()):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has these amounts"
            )
        exhausted = exhausted_amounts(view, snapshot)
        for key, text in self.hard.items():
            if key not in view.hard:
                raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{self.target} has no {key}")
            if key not in exhausted:
                raise RejectedPlaybookError(
                    RejectionRule.NOT_OF_TARGET,
                    f"{key} of {self.target} does not keep pods of {snapshot.target} from being "
                    "created",
                )
            now, desired = quota_amount(key, view.hard[key]), quota_amount(key, text)
            # A quota of zero has no steps that could be a percentage of it.
            first = now == 0 and desired <= required_amount(view, key, snapshot)
            earlier = text == earlier_values.quota(snapshot, self.target, key)
            within = any(desired in permitted_range(now, rule) for rule in rules)
            if desired <= now or not (first or earlier or within):
                raise RejectedPlaybookError(
                    RejectionRule.BOUNDS,
                    f"the policy does not allow {key} {text} instead of {view.hard[key]}",
                )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield what is needed, earlier amounts, and higher ones, of amounts that are used up."""
        for target in targets_of(snapshot, "ResourceQuota"):
            view = next(q for q in snapshot.quotas if q.name == target.name)
            exhausted = exhausted_amounts(view, snapshot)
            needed = {key: max(required_amount(view, key, snapshot), 1) for key in exhausted}
            head = {"target": target, "action": "SetQuota"}
            if len(exhausted) > 1:  # one alone would not be enough
                yield {**head, "hard": {key: _text(key, needed[key]) for key in exhausted}}
                for times, by in _STEPS:
                    hard = {k: _scaled(k, view.hard[k], times, by) for k in exhausted}
                    yield {**head, "hard": hard}
                continue
            for key in exhausted:
                earlier = earlier_values.quota(snapshot, target, key)
                steps = [_scaled(key, view.hard[key], times, by) for times, by in _STEPS]
                for text in dict.fromkeys([earlier, _text(key, needed[key]), *steps]):
                    if text is not None:
                        yield {**head, "hard": {key: text}}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        return ({"action": "SetQuota", "hard": by_name(self.hard, self, before)},)


def _scaled(key: str, text: str, times: int, by: int) -> str:
    return _text(key, quota_amount(key, text) * times // by)


def _text(key: str, amount: int) -> str:
    if key.endswith("cpu"):
        return format_cpu(amount)
    return str(amount) if key.endswith("pods") else format_memory(amount)
