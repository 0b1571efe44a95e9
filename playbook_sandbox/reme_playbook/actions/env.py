"""SetEnv: sets an environment variable of a container."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, InternalAction, PatchPart, Shorten
from reme_playbook.actions.container import ContainerAction, ContainerFields
from reme_playbook.actions.setting import MAX_EARLIER, check_setting
from reme_playbook.actions.string_types import EnvName, EnvValue
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.field_path import Entry, FieldValue, Path, Write, container_path
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView


class SetEnv(ContainerAction):
    """Sets one environment variable of one container to a literal value."""

    NAME = ActionName.SET_ENV
    BOUNDS = (
        "an earlier value, or the present one with the name of a Service that exists instead of "
        "one that does not, if that was not so before the fault; nothing that looks like a secret"
    )
    RESTORES = "the earlier value; a variable that was not set is removed"
    EXAMPLE: ClassVar[Draft] = {"container": "server", "variable": "STOCK_HOST", "value": "stock"}

    action: Literal["SetEnv"] = "SetEnv"
    variable: EnvName
    value: EnvValue

    def summary(self) -> str:
        return f"Set variable {self.variable} of container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write((*_path(self.container, self.variable), "value"), self.value),)

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("env", Entry(key=variable), "value"):
                return PatchPart(path, {"variable": variable, "value": value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"set {self.variable} of {self.container} to", shorten(self.value, 60)

    def free_text(self) -> tuple[str, str]:
        return self.variable, self.value

    def field_names(self) -> tuple[str, ...]:
        return (self.variable,)

    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject a variable that is a reference, and values that `check_setting` rejects."""
        name = self.variable
        current = container.env.get(name)
        if name in container.env and current is None:
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"variable {name} is a reference (valueFrom), not a value"
            )
        earlier = earlier_values.env_values(snapshot, container.name, name)
        mention = Mention(container.name, name)
        check_setting(f"variable {name}", mention, current, self.value, earlier, snapshot)

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield earlier values, and values with repaired hosts."""
        for container in snapshot.containers:
            name = container.name
            before = earlier_values.earlier_containers(snapshot, name)
            for variable in dict.fromkeys([*container.env, *(v for e in before for v in e.env)]):
                earlier = earlier_values.env_values(snapshot, name, variable)[:MAX_EARLIER]
                hosts = earlier_values.env_hosts(snapshot, name, variable)
                head = {"action": "SetEnv", "container": name, "variable": variable}
                for value in dict.fromkeys([*earlier, *hosts]):
                    yield {**head, "value": value}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (value,) = before.values()
        head = {"container": self.container, "variable": self.variable}
        if value is None:
            return ({**head, "action": "UnsetEnv"},)
        return ({**head, "action": "SetEnv", "value": value},)


class UnsetEnv(InternalAction, ContainerFields):
    """Removes a variable that SetEnv added."""

    NAME = ActionName.SET_ENV
    ACCEPTS_NULL = True

    action: Literal["UnsetEnv"] = "UnsetEnv"
    variable: EnvName

    def summary(self) -> str:
        return f"Unset variable {self.variable} of container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(_path(self.container, self.variable), None),)

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("env", Entry(key=variable), "$patch") if value == "delete":
                return PatchPart(path, {"variable": variable})
        return None


def _path(container: str, variable: str) -> Path:
    return container_path(container, "env", Entry(variable, "name"))
