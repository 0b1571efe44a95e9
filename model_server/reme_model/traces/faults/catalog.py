"""Every fault by its name, and how often each is drawn."""

from reme_model.traces.faults import (
    capacity,
    changes,
    false_alarms,
    held_up,
    out_of_reach,
    placement,
    pods,
    policies,
    probes,
    resources,
    services,
    settings,
    slow_pods,
    starts,
    versions,
)
from reme_model.traces.incident import Maker

FAULTS: dict[str, Maker] = {
    **pods.FAULTS,
    **slow_pods.FAULTS,
    **starts.FAULTS,
    **versions.FAULTS,
    **changes.FAULTS,
    **probes.FAULTS,
    **resources.FAULTS,
    **placement.FAULTS,
    **services.FAULTS,
    **settings.FAULTS,
    **capacity.FAULTS,
    **held_up.FAULTS,
    **policies.FAULTS,
}
"""Faults that an action repairs."""
WEIGHTS = {
    # What nothing but the report tells from each other, and what is asked for most.
    "cpu-stress": 2.2,
    "memory-stress": 2.2,
    "disk-io": 1.5,
    "network-loss": 1.7,
    "network-delay": 1.7,
    "pod-fail": 2,
    "pod-config-error": 1.7,
    "oom-limit": 1.3,
    # Most incidents follow a change.
    "bad-version": 3,
    "bad-change": 3,
    "slow-version": 1.5,
    "wrong-dependency": 1.3,
    "two-faults": 1.5,
    "new-env": 0.6,
    "hung-pod": 0.5,
    "crashed-pod": 0.5,
    "egress-policy": 0.5,
    "config-value-changed": 0.8,
}
"""How often a fault is drawn, where that is not 1."""
ABSTENTIONS: dict[str, tuple[float, Maker]] = {
    "false-alarm": (22, false_alarms.false_alarm),
    "self-healed": (9, false_alarms.self_healed),
    "tight-alarm": (10, false_alarms.tight_alarm),
    "blamed-for-another": (11, false_alarms.blamed_for_another),
    "wrong-target": (16, false_alarms.wrong_target),
    "unclear": (5, false_alarms.unclear),
    "lost-credential": (15, out_of_reach.lost_credential),
    "lost-setting": (7, out_of_reach.lost_setting),
    "renumbered-service-port": (9, out_of_reach.renumbered_port),
    "dying-disk": (10, out_of_reach.dying_disk),
    "full-cluster": (5, out_of_reach.full_cluster),
    "lost-image": (6, out_of_reach.lost_image),
}
"""Where the right answer is to do nothing: how often each is drawn, and what makes it."""
