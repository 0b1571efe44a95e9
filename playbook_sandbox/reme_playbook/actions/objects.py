"""Actions on what is around a workload: its Services, ConfigMaps and pods."""

from typing import Annotated, Literal

from pydantic import Field

from reme_api.actions import ActionName
from reme_playbook.actions.base import ActionBase, Disruption
from reme_playbook.actions.string_types import (
    ConfigKey,
    ConfigValue,
    LabelKey,
    LabelValue,
    Port,
    PortNumber,
)


class SetConfigValue(ActionBase):
    """Sets one key of a ConfigMap."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})

    action: Literal["SetConfigValue"] = "SetConfigValue"
    key: ConfigKey
    value: ConfigValue

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set key {self.key} of {self.target}"


class UnsetConfigValue(ActionBase):
    """Takes away a key that SetConfigValue added."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})
    INTERNAL = True

    action: Literal["UnsetConfigValue"] = "UnsetConfigValue"
    key: ConfigKey

    def summary(self) -> str:
        """Return one line for people."""
        return f"Unset key {self.key} of {self.target}"


class PatchServiceSelector(ActionBase):
    """Merges labels into the selector of a Service; a null takes a label out of it."""

    NAME = ActionName.PATCH_SERVICE_SELECTOR
    KINDS = frozenset({"Service"})

    action: Literal["PatchServiceSelector"] = "PatchServiceSelector"
    selector: Annotated[dict[LabelKey, LabelValue | None], Field(min_length=1, max_length=16)]

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set {', '.join(self.selector)} in the selector of {self.target}"[:1024]


class PatchServicePort(ActionBase):
    """Sets where one port of a Service leads to."""

    NAME = ActionName.PATCH_SERVICE_PORT
    KINDS = frozenset({"Service"})

    action: Literal["PatchServicePort"] = "PatchServicePort"
    port: PortNumber
    target_port: Port

    def summary(self) -> str:
        """Return one line for people."""
        return f"Lead port {self.port} of {self.target} to port {self.target_port} of its pods"


class DeletePod(ActionBase):
    """Deletes one pod, which its workload replaces."""

    NAME = ActionName.DELETE_POD
    KINDS = frozenset({"Pod"})
    DISRUPTION = Disruption.LOW

    action: Literal["DeletePod"] = "DeletePod"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Delete {self.target}, to be replaced"
