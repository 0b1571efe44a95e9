"""Rollouts with variables that keep new pods from starting."""

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import (
    MORE_RESOURCES,
    RESTART,
    ROLL_BACK,
    SCALE,
    crash_loop_state,
    crashing_rollout,
    impact_unless_served,
    waiting_state,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.env import SetEnv


def bad_env(rng: Rng, system: System) -> BrokenSystem:
    """A variable has a value that the program rejects."""
    variable = system.main_container["env"][0]["name"]
    value = rng.parameter(
        ("lots", "unlimited", "ten", "null", "NaN", "n/a", "-", "much", "off", "tbd")
    )
    system.roll_out(lambda _, __: system.set_env(variable, value))
    code = rng.choice((1, 1, 2, 78))
    system.stick_rollout(**crash_loop_state(rng, code))
    return crashing_rollout(
        rng,
        system,
        (
            "bad-env",
            "bad-configuration",
            "invalid-setting",
            "config-invalid",
            "crash-loop",
            "wrong-variable",
        ),
        (
            "{name} [refuses|rejects|cannot parse] {variable}={value}[ and stops| and exits|].",
            (
                "[Setting|Variable] {variable} [was changed|got] to {value}[ in the newest "
                "revision|], [which is no number|the program wants an integer]."
            ),
        ),
        "[invalid|bad|unparsable] {variable}: [{value}|'{value}' is no integer]",
        (ROLL_BACK, (expect(SetEnv, variable=variable),)),
        {"variable": variable, "value": value, "code": code},
        rule(is_one_of(variable, value), exit_code=code),
    )


def new_env(rng: Rng, system: System) -> BrokenSystem:
    """A new variable makes the program fail."""
    variable, value = (
        names.flag(rng),
        rng.parameter(("strict", "experimental", "v9", "legacy", "shadow", "on", "next", "alpha")),
    )
    system.roll_out(lambda _, __: system.set_env(variable, value))
    system.stick_rollout(**crash_loop_state(rng, 1))
    return crashing_rollout(
        rng,
        system,
        ("bad-configuration", "crash-loop", "startup-failure", "bad-rollout"),
        (
            (
                "{name} [stops|ends|aborts] at startup[ since {variable} was added|: "
                "{variable}={value} is not supported|]."
            ),
            "[Every|Each] new pod of {name} [aborts|exits] [after a second|at once].",
        ),
        "[unsupported|unknown] {variable} [value|mode] {value}",
        (ROLL_BACK,),
        {"variable": variable, "value": value, "code": 1},
        rule(is_one_of(variable, value), exit_code=1),
    )


def missing_key(rng: Rng, system: System) -> BrokenSystem:
    """A variable refers to a key that its ConfigMap does not have."""
    system.config = system.config or {names.setting(rng): "5"}
    system.original_config = dict(system.config)
    key = rng.parameter(
        ("quota", "locale", "palette", "endpoint-set", "shards", "issuer", "bucket", "zone")
    )
    entry = {
        "name": names.flag(rng),
        "valueFrom": {"configMapKeyRef": {"name": system.config_name, "key": key}},
    }

    def change(_: Json, main: Json) -> None:
        main["env"] = [e for e in main["env"] if e["name"] != entry["name"]] + [entry]

    system.roll_out(change)
    system.stick_rollout(
        **waiting_state(
            "CreateContainerConfigError",
            f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}",
        )
    )
    return BrokenSystem(
        system,
        fault_types=(
            "missing-key",
            "config-error",
            "create-container-config-error",
            "missing-config",
            "config-reference",
        ),
        summaries=(
            (
                "[New pods|The new pod] of {name} [want|need|ask for] key {key}, [which "
                "{config} lacks|and {config} has none]."
            ),
            "{name} [cannot be created|is not created]: {config} has no {key}.",
        ),
        terse_summaries=("{name} [config error|container not created]",),
        wrong_diagnoses=(
            ("image-pull-error", "{name} [waits|hangs]; its image [does not arrive|is not there]."),
            ("node-pressure", "{name} [waits|hangs]; the node has no room."),
        ),
        evidence=(
            EvidenceText(
                "Event", "Pod/{pod}", "Failed: couldn't find key {key} in ConfigMap {config}"
            ),
            EvidenceText("Text", "{name}", "[rollout stuck|new pod waiting]"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=(ROLL_BACK,),
        useless_repairs=(RESTART, MORE_RESOURCES, SCALE),
        text_values={"key": key, "config": system.config_name, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, FaultMaker] = {
    "bad-env": bad_env,
    "new-env": new_env,
    "missing-key": missing_key,
}
