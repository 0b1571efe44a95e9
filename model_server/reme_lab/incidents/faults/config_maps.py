"""ConfigMaps that somebody changed."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.registry import Restart, SetConfigValue


def give_config(draw: Draw, system: System) -> str:
    """Give the system a ConfigMap if it has none, and return one of its keys."""
    if not system.config:
        system.config = {names.setting(draw): str(draw.number(1, 40)), names.setting(draw): "std"}
        system.main["envFrom"] = [{"configMapRef": {"name": system.config_name}}]
        system.config_from_env = True
        for pod in system.pods:
            pod.template = system.template
        system.original = copy.deepcopy(system.template)
    system.original_config = dict(system.config)
    system.applied = True
    return draw.one(sorted(system.config))


def config_key_removed(draw: Draw, system: System) -> Incident:
    """A key that the program needs was taken out of its ConfigMap."""
    key = give_config(draw, system)
    was = system.config.pop(key)
    if system.config_from_env:
        how: Json = {
            "ready": False,
            "restarts": draw.number(2, 15),
            "state": {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
            },
        }
    else:
        message = f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}"
        how = {
            "ready": False,
            "phase": "Pending",
            "state": {
                "state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
            },
        }
    system.replace_all(**how)
    put_back = (wish(SetConfigValue, system.config_name, key=key, value=was),)
    return Incident(
        system,
        types=(
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
        terse=("{name} [not starting|does not come up|config error]",),
        astray=(
            ("oom", "{name} does not start, [memory is too scarce|it gets too little memory]."),
            ("bad-image", "{name} does not start, its image is broken."),
            (
                "bad-command",
                "{name} does not start, [something|an argument] is wrong in its command.",
            ),
        ),
        clues=(
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                "[required setting|setting|key] {key} [is missing|not found]",
            ),
            Clue("Event", "Pod/{pod}", "[Failed|BackOff]: [config|container] {container}"),
        ),
        felt="refused",
        repairs=(put_back, (*put_back, wish(Restart))),
        useless=(RESTART, SCALE),
        hidden=Hidden(rules=(rule(is_one_of(key, None), exit_code=1),)),
        values={"key": key, "was": was, "config": system.config_name, "pod": system.pods[0].name},
    )


def config_value_changed(draw: Draw, system: System) -> Incident:
    """A value of the ConfigMap was changed, and the pods run with it."""
    key = give_config(draw, system)
    was = system.config[key]
    value = draw.parameter(("0", "-1", "99999", "broken", "x", "oops", "65536", "disabled"))
    system.config[key] = value
    system.replace_all()
    if draw.chance(50):
        for pod in system.pods:
            pod.ready = False
    mend = (wish(SetConfigValue, system.config_name, key=key, value=was), wish(Restart))
    return Incident(
        system,
        types=(
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
        terse=("{name} [errors after config edit|misconfigured|bad setting]",),
        astray=(
            ("overload", "{name} [needs|wants] more pods."),
            ("bad-rollout", "{name} has a bad [build|release]."),
            ("hang", "{name} hangs, [bounce|restart] it."),
        ),
        clues=(
            Clue("Log", "Pod/{pod}/{container}", "[cannot work with|error: ] {key}={value}"),
            Clue("Text", "audit", "ConfigMap {config} edited [by hand|with kubectl]"),
        ),
        felt="errors",
        repairs=(mend,),
        useless=(RESTART, SCALE, (wish(SetConfigValue, system.config_name, key=key, value=was),)),
        hidden=Hidden(rules=(rule(is_one_of(key, value), error_percent=80),)),
        values={
            "key": key,
            "was": was,
            "value": value,
            "config": system.config_name,
            "pod": system.pods[0].name,
        },
    )


FAULTS: dict[str, Maker] = {
    "config-key-removed": config_key_removed,
    "config-value-changed": config_value_changed,
}
