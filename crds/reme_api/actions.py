"""The names of what a playbook may do; how each looks in Ansible is the sandbox's business."""

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
