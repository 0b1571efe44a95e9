"""What the Job's manifest and the process inside the Job agree on: variables, paths, times.

Imports nothing heavy: the runner reads it before it has started what takes long to load.
"""

from enum import StrEnum


class Variable(StrEnum):
    """Environment variables that the Job sets for its runner."""

    RUN_NAME = "REME_RUN_NAME"
    NAMESPACE = "REME_RUN_NAMESPACE"
    RESULT = "REME_RESULT"
    POD_NAME = "REME_POD_NAME"
    PLAYBOOK_DIGEST = "REME_PLAYBOOK_DIGEST"
    DEADLINE_SECONDS = "REME_DEADLINE_SECONDS"
    IS_ROLLBACK = "REME_IS_ROLLBACK"


INPUT_DIRECTORY = "/run/reme/input"
PLAYBOOK_KEY = "playbook.json"
"""Key in the input ConfigMap, and so the name of the file in INPUT_DIRECTORY."""
TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 (a path)

TERMINATION_GRACE_SECONDS = 10
"""Time between SIGTERM and SIGKILL of the pod."""
EXIT_SECONDS = 1
"""Part of the grace period that the process needs to end after its last request."""
REQUEST_SECONDS = 5
"""Longest time of one request of the runner to the API server."""
RECORD_SECONDS = TERMINATION_GRACE_SECONDS - EXIT_SECONDS
"""Longest time for recording how a run ended. A signal during that time leaves enough of it."""
