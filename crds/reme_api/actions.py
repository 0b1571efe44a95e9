"""The names of what a playbook may do, and how much it disturbs; the rest is the sandbox's."""

from enum import StrEnum


class ActionName(StrEnum):
    """A repair that the playbook language can express."""

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
    """What an action interrupts even when all goes well, from least to most."""

    NONE = "None"  # no pod is stopped
    LOW = "Low"  # some pods at most, as many as are to go
    MEDIUM = "Medium"  # every pod is replaced, a few at a time
    HIGH = "High"  # every pod that serves is stopped before another one serves

    def exceeds(self, other: "Disruption") -> bool:
        """Return whether this one disturbs more."""
        order = list(Disruption)
        return order.index(self) > order.index(other)
