"""SetConfigValue: sets a key of a ConfigMap."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Action,
    Draft,
    InternalAction,
    PatchPart,
    Shorten,
    existing,
    targets_of,
)
from reme_playbook.actions.setting import MAX_EARLIER, check_setting
from reme_playbook.actions.string_types import ConfigKey, ConfigValue
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.field_path import Entry, FieldValue, Path, Write
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class SetConfigValue(Action):
    """Sets one key of a ConfigMap."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})
    BOUNDS = "in a ConfigMap that the template refers to; values as for SetEnv"
    RESTORES = "the earlier value; a key that did not exist is removed"
    EXAMPLE: ClassVar[Draft] = {"key": "stock", "value": "stock:8080"}
    EXAMPLE_NAME = "cart-config"

    action: Literal["SetConfigValue"] = "SetConfigValue"
    key: ConfigKey
    value: ConfigValue

    def summary(self) -> str:
        return f"Set key {self.key} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(("data", Entry(self.key)), self.value),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("data", Entry(key=key)) if value is not None:
                return PatchPart(path, {"action": "SetConfigValue", "key": key, "value": value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"set {self.key} of config {self.target.name} to", shorten(self.value, 40)

    def free_text(self) -> tuple[str, str]:
        return self.key, self.value

    def field_names(self) -> tuple[str, ...]:
        return (self.key,)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject an immutable ConfigMap, binary keys, and values that `check_setting` rejects."""
        manifest, name = existing(self.target, snapshot), self.target.name
        if manifest.get("immutable") is True:
            raise RejectedPlaybookError(RejectionRule.VALUE, f"{self.target} is immutable")
        if self.key in unstructured.mapping(manifest, "binaryData"):
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"key {self.key} of {self.target} holds binary data"
            )
        current = snapshot.config_map(name).get(self.key)
        earlier = earlier_values.config_values(snapshot, name, self.key)
        mention = Mention("", self.key, name)
        check_setting(f"key {self.key}", mention, current, self.value, earlier, snapshot)

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield earlier values, and values with repaired hosts."""
        for target in targets_of(snapshot, "ConfigMap"):
            name = target.name
            applied = snapshot.last_applied_config(name).get("data")
            keys = [*snapshot.config_map(name), *(applied if isinstance(applied, dict) else {})]
            for key in dict.fromkeys(keys):
                earlier = earlier_values.config_values(snapshot, name, key)[:MAX_EARLIER]
                hosts = earlier_values.config_hosts(snapshot, name, key)
                for value in dict.fromkeys([*earlier, *hosts]):
                    yield {"target": target, "action": "SetConfigValue", "key": key, "value": value}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (value,) = before.values()
        if value is None:
            return ({"action": "UnsetConfigValue", "key": self.key},)
        return ({"action": "SetConfigValue", "key": self.key, "value": value},)


class UnsetConfigValue(InternalAction):
    """Removes a key that SetConfigValue added."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})
    ACCEPTS_NULL = True

    action: Literal["UnsetConfigValue"] = "UnsetConfigValue"
    key: ConfigKey

    def summary(self) -> str:
        return f"Unset key {self.key} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(("data", Entry(self.key)), None),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("data", Entry(key=key)) if value is None:
                return PatchPart(path, {"action": "UnsetConfigValue", "key": key})
        return None
