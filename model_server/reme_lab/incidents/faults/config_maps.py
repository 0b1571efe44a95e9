"""ConfigMaps with a removed key or a changed value."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.restart import Restart


def ensure_config(rng: Rng, system: System) -> str:
    """Give the system a ConfigMap if it has none; return one of its keys."""
    if not system.config:
        system.config = {names.setting(rng): str(rng.integer(1, 40)), names.setting(rng): "std"}
        system.main_container["envFrom"] = [{"configMapRef": {"name": system.config_name}}]
        system.config_from_env = True
        for pod in system.pods:
            pod.template = system.template
        system.original = copy.deepcopy(system.template)
    system.original_config = dict(system.config)
    system.has_last_applied = True
    return rng.choice(sorted(system.config))


def config_key_removed(rng: Rng, system: System) -> BrokenSystem:
    """A key that the program needs was removed from its ConfigMap."""
    key = ensure_config(rng, system)
    old_value = system.config.pop(key)
    if system.config_from_env:
        pod_state: Json = {
            "ready": False,
            "restarts": rng.integer(2, 15),
            "state": {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
            },
        }
    else:
        message = f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}"
        pod_state = {
            "ready": False,
            "phase": "Pending",
            "state": {
                "state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
            },
        }
    system.replace_all(**pod_state)
    restore = (expect(SetConfigValue, system.config_name, key=key, value=old_value),)
    return BrokenSystem(
        system,
        fault_types=(
            "config-key-removed",
            "config-error",
            "missing-key",
            "missing-setting",
            "configmap-changed",
        ),
        summaries=(
            (
                "[Somebody|Someone] [deleted|dropped|removed] {key} from {config}; {name} "
                "[cannot live|does not start] without it."
            ),
            "{config} [lacks|no longer has] {key} ([was|formerly] {was}).",
            "{name} [does not come up|fails to start] since its pods were [recreated|replaced].",
        ),
        terse_summaries=("{name} [not starting|does not come up|config error]",),
        wrong_diagnoses=(
            ("oom", "{name} does not start, [memory is too scarce|it gets too little memory]."),
            ("bad-image", "{name} does not start, its image is broken."),
            (
                "bad-command",
                "{name} does not start, [something|an argument] is wrong in its command.",
            ),
        ),
        evidence=(
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                "[required setting|setting|key] {key} [is missing|not found]",
            ),
            EvidenceText("Event", "Pod/{pod}", "[Failed|BackOff]: [config|container] {container}"),
        ),
        user_impact="refused",
        repairs=(restore, (*restore, expect(Restart))),
        useless_repairs=(RESTART, SCALE),
        effects=FaultEffects(rules=(rule(is_one_of(key, None), exit_code=1),)),
        text_values={
            "key": key,
            "was": old_value,
            "config": system.config_name,
            "pod": system.pods[0].name,
        },
    )


def config_value_changed(rng: Rng, system: System) -> BrokenSystem:
    """A value of the ConfigMap was changed, and the pods were restarted with it."""
    key = ensure_config(rng, system)
    old_value = system.config[key]
    value = rng.parameter(("0", "-1", "99999", "broken", "x", "oops", "65536", "disabled"))
    system.config[key] = value
    system.replace_all()
    if rng.chance(50):
        for pod in system.pods:
            pod.ready = False
    mend = (expect(SetConfigValue, system.config_name, key=key, value=old_value), expect(Restart))
    return BrokenSystem(
        system,
        fault_types=(
            "config-value-changed",
            "bad-configuration",
            "wrong-setting",
            "configmap-changed",
            "misconfiguration",
        ),
        summaries=(
            (
                "{key} in {config} [was set|went] to {value}[, from {was}|]; [pods run with "
                "it|{name} reads it at boot]."
            ),
            "{name} [fails calls|misbehaves] [since|after] {config} was [edited|touched].",
        ),
        terse_summaries=("{name} [errors after config edit|misconfigured|bad setting]",),
        wrong_diagnoses=(
            ("overload", "{name} [needs|wants] more pods."),
            ("bad-rollout", "{name} has a bad [build|release]."),
            ("hang", "{name} hangs, [bounce|restart] it."),
        ),
        evidence=(
            EvidenceText(
                "Log", "Pod/{pod}/{container}", "[cannot work with|error: ] {key}={value}"
            ),
            EvidenceText("Text", "audit", "ConfigMap {config} edited [by hand|with kubectl]"),
        ),
        user_impact="errors",
        repairs=(mend,),
        useless_repairs=(
            RESTART,
            SCALE,
            (expect(SetConfigValue, system.config_name, key=key, value=old_value),),
        ),
        effects=FaultEffects(rules=(rule(is_one_of(key, value), error_percent=80),)),
        text_values={
            "key": key,
            "was": old_value,
            "value": value,
            "config": system.config_name,
            "pod": system.pods[0].name,
        },
    )


FAULTS: dict[str, FaultMaker] = {
    "config-key-removed": config_key_removed,
    "config-value-changed": config_value_changed,
}
