"""Names of the actions of a playbook, and how much an action disrupts its target."""

from enum import StrEnum


class ActionName(StrEnum):
    """An action of the playbook language."""

    RESTART = "Restart"
    ROLLBACK = "Rollback"
    SCALE = "Scale"
    SET_RESOURCES = "SetResources"
    SET_IMAGE = "SetImage"
    SET_ENV = "SetEnv"
    SET_CONFIG_VALUE = "SetConfigValue"
    PATCH_PROBE = "PatchProbe"
    PATCH_SERVICE_SELECTOR = "PatchServiceSelector"
    PATCH_SERVICE_PORT = "PatchServicePort"
    DELETE_POD = "DeletePod"
    RESUME_ROLLOUT = "ResumeRollout"
    SET_UPDATE_STRATEGY = "SetUpdateStrategy"
    PATCH_NODE_SELECTOR = "PatchNodeSelector"
    SET_COMMAND = "SetCommand"
    SET_AUTOSCALING = "SetAutoscaling"
    SET_QUOTA = "SetQuota"
    SET_DISRUPTION_BUDGET = "SetDisruptionBudget"
    RESUME_JOB = "ResumeJob"
    SET_INGRESS_BACKEND = "SetIngressBackend"
    ALLOW_INGRESS = "AllowIngress"
    ALLOW_EGRESS = "AllowEgress"
    UNCORDON_NODE = "UncordonNode"
    REMOVE_TAINT = "RemoveTaint"


class Disruption(StrEnum):
    """What an action interrupts even when it succeeds, in ascending order."""

    NONE = "None"  # no pod is stopped
    LOW = "Low"  # some pods are stopped, as many as are removed
    MEDIUM = "Medium"  # every pod is replaced, a few at a time
    HIGH = "High"  # all serving pods are stopped before a new one serves

    def exceeds(self, other: "Disruption") -> bool:
        """Return whether this disruption is greater than the other."""
        order = list(Disruption)
        return order.index(self) > order.index(other)
