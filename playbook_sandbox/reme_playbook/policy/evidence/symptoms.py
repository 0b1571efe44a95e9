"""Why pods of the present template are not ready, as far as their status and events say."""

from enum import StrEnum

from reme_playbook.policy.evidence.pods import START_FAILURES, PodFacts
from reme_playbook.snapshot.probe_failures import ProbeFailure

_SIGNALS = frozenset({137, 143})
"""Exit codes of a container that was killed, as after a failed liveness probe."""


class Symptom(StrEnum):
    """What is wrong with a pod that is not ready; the values end a sentence about it."""

    NO_PLACE = "no node takes it"
    NOT_STARTED = "its container was never started"
    KILLED_FOR_MEMORY = "its container was killed for memory"
    EXITED = "its container ends by itself"
    MISSING_PATH = "it answers that the path of its probe does not exist"
    UNKNOWN = "it is not ready"


def symptom_of(pod: PodFacts, failures: tuple[ProbeFailure, ...]) -> Symptom:
    """Return why a pod is not ready; `failures` are the probes of the target that fail."""
    states = pod.view.containers
    if pod.view.unscheduled:
        return Symptom.NO_PLACE
    if any(state.waiting in START_FAILURES for state in states):
        return Symptom.NOT_STARTED
    if pod.killed:
        return Symptom.KILLED_FOR_MEMORY
    killing = {failure.container for failure in failures if failure.kind != "readiness"}
    if pod.crashing and not any(
        state.name in killing or state.exit_code in _SIGNALS for state in states if state.terminated
    ):
        return Symptom.EXITED if any(state.terminated for state in states) else Symptom.UNKNOWN
    if not pod.crashing and failures and all(f.asks_nothing_that_exists for f in failures):
        return Symptom.MISSING_PATH
    return Symptom.UNKNOWN
