"""All faults by name, and how often each is drawn."""

from reme_lab.incidents.broken_system import FaultMaker
from reme_lab.incidents.faults import (
    bad_versions,
    capacity,
    config_maps,
    dependencies,
    failed_starts,
    false_alarms,
    limits,
    network_policies,
    paused,
    placement,
    probes,
    resources,
    rollout_changes,
    services,
    single_pod,
    slow_pods,
    unrepairable,
    variables,
)

FAULTS: dict[str, FaultMaker] = {
    **single_pod.FAULTS,
    **slow_pods.FAULTS,
    **failed_starts.FAULTS,
    **variables.FAULTS,
    **bad_versions.FAULTS,
    **dependencies.FAULTS,
    **rollout_changes.FAULTS,
    **probes.FAULTS,
    **resources.FAULTS,
    **placement.FAULTS,
    **services.FAULTS,
    **config_maps.FAULTS,
    **capacity.FAULTS,
    **limits.FAULTS,
    **paused.FAULTS,
    **network_policies.FAULTS,
}
"""Faults that an action repairs."""
WEIGHTS = {
    # Faults that only the report distinguishes, and the most frequent ones.
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
"""Weights that differ from 1."""
ABSTENTIONS: dict[str, tuple[float, FaultMaker]] = {
    "false-alarm": (22, false_alarms.false_alarm),
    "self-healed": (9, false_alarms.self_healed),
    "tight-alarm": (10, false_alarms.tight_alarm),
    "blamed-for-another": (11, false_alarms.blamed_for_another),
    "wrong-target": (16, false_alarms.wrong_target),
    "unclear": (5, false_alarms.unclear),
    "lost-credential": (15, unrepairable.lost_credential),
    "lost-setting": (7, unrepairable.lost_setting),
    "renumbered-service-port": (9, unrepairable.renumbered_port),
    "dying-disk": (10, unrepairable.dying_disk),
    "full-cluster": (5, unrepairable.full_cluster),
    "lost-image": (6, unrepairable.lost_image),
}
"""Incidents that need no action: the weight of each, and its function."""
