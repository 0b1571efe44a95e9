"""Rollouts whose new pods do not start: going back is the repair."""

import re
from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    Repair,
    expect,
)
from reme_lab.incidents.faults.common import (
    MORE_RESOURCES,
    RESTART,
    ROLL_BACK,
    SCALE,
    crash_loop_state,
    impact_unless_served,
    waiting_state,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import BehaviourRule, SettingCondition, is_one_of, rule
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage


def bad_image(rng: Rng, system: System) -> BrokenSystem:
    """A new image that cannot be pulled."""
    repository, _, old = system.main_container["image"].rpartition(":")
    wrong = rng.parameter(
        (
            f"{old}-final",
            f"{old}x",
            f"{names.tag(rng)}-snapshot",
            "lates",
            f"{old}-arm",
            "release",
            f"{old}-beta9",
            "nightly",
        )
    )
    image = f"{repository}:{wrong}"
    if rng.chance(20):
        image = f"{names.word(rng)}/{system.name}:{old}"
    system.roll_out(lambda _, main: main.update(image=image))
    reason = rng.choice(("ImagePullBackOff", "ErrImagePull"))
    system.stick_rollout(**waiting_state(reason, f"Back-off pulling image '{image}'"))
    system.add_event("Failed", f"Failed to pull image '{image}': not found", rng.integer(1, 30))
    return BrokenSystem(
        system,
        fault_types=(
            "bad-image",
            "image-pull",
            "image-pull-error",
            "missing-image",
            "image-not-found",
            "pull-failure",
        ),
        summaries=(
            (
                "[Nodes|The kubelet|Nobody] can[not| not] [pull|fetch|find] {image}[, which "
                "{name} now wants|]."
            ),
            (
                "{name} [hangs in|is stuck in] {reason}: [tag|image] {wrong} [does not "
                "exist|is unknown to the registry]."
            ),
            "[The newest|A fresh] pod of {name} [has no image|cannot get its image].",
        ),
        terse_summaries=("{name} [{reason}|image missing|pull fails]",),
        wrong_diagnoses=(
            ("readiness-probe", "[New pods|The new pod] of {name} [never pass|fail] the probe."),
            (
                "node-pressure",
                (
                    "[New pods|The new pod] of {name} [do not start|does not start]: the "
                    "node is [full|busy]."
                ),
            ),
            ("crash-loop", "{name} [keeps crashing|crashes] [on start|at startup]."),
        ),
        evidence=(
            EvidenceText(
                "Event",
                "Pod/{pod}",
                "{reason}: [manifest unknown|not found|pull access denied] {image}",
            ),
            EvidenceText(
                "Text",
                "Deployment/{name}",
                "[rollout incomplete|new ReplicaSet has no available pod]",
            ),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=(ROLL_BACK, (expect(SetImage),)),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        text_values={
            "image": image,
            "wrong": image.rpartition(":")[2],
            "reason": reason,
            "pod": system.pods[-1].name,
        },
    )


def bad_command(rng: Rng, system: System) -> BrokenSystem:
    """A command that the image cannot run."""
    word = rng.parameter(
        ("serve", "runserver", "start.sh", "gunicorn", "main.py", "launch", "boot", "daemonize")
    )
    command = rng.choice(([f"./{word}"], ["sh", "-c", word], ["/opt/bin/" + word], ["node", word]))

    def change(_: Json, main: Json) -> None:
        if rng.chance(75) or "command" not in main:
            main["command"] = command
        else:
            main["args"] = [f"--{word}"]

    system.roll_out(change)
    code = rng.choice((1, 2, 126, 127, 128))
    system.stick_rollout(
        **crash_loop_state(
            rng, code, rng.choice(("Error", "Error", "StartError", "ContainerCannotRun"))
        )
    )
    return crashing(
        rng,
        system,
        (
            "bad-command",
            "crash-loop",
            "wrong-entrypoint",
            "startup-failure",
            "container-cannot-run",
        ),
        (
            (
                "{name} [dies|exits|quits] [right away|immediately|on launch]: [no such "
                "file|command not found|unknown module] {word}."
            ),
            (
                "[Container|Process] {container} [cannot start|does not launch] [since its "
                "command changed|with its new command]."
            ),
        ),
        "[exec: {word}: not found|cannot find module {word}|{word}: no such file or directory]",
        (ROLL_BACK, (expect(SetCommand),)),
        {"word": word, "code": code},
        rule(SettingCondition("command", pattern=f".*{re.escape(word)}.*"), exit_code=code),
        rule(SettingCondition("args", pattern=f".*{re.escape(word)}.*"), exit_code=code),
    )


def bad_env(rng: Rng, system: System) -> BrokenSystem:
    """A variable with a value that the program does not take."""
    variable = system.main_container["env"][0]["name"]
    value = rng.parameter(
        ("lots", "unlimited", "ten", "null", "NaN", "n/a", "-", "much", "off", "tbd")
    )
    system.roll_out(lambda _, __: system.set_env(variable, value))
    code = rng.choice((1, 1, 2, 78))
    system.stick_rollout(**crash_loop_state(rng, code))
    return crashing(
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
    """A variable that is new and that the program cannot live with."""
    variable, value = (
        names.flag(rng),
        rng.parameter(("strict", "experimental", "v9", "legacy", "shadow", "on", "next", "alpha")),
    )
    system.roll_out(lambda _, __: system.set_env(variable, value))
    system.stick_rollout(**crash_loop_state(rng, 1))
    return crashing(
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


def crashing(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    log: str,
    repairs: Sequence[Repair],
    values: dict[str, object],
    *rules: BehaviourRule,
) -> BrokenSystem:
    """Return the incident of a rollout whose pods end at their start."""
    system.add_event("BackOff", "Back-off restarting failed container", rng.integer(3, 60))
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=(
            *summaries,
            (
                "{name} [crash loops|restarts over and over|is in CrashLoopBackOff][ with exit "
                "code {code}|]."
            ),
        ),
        terse_summaries=("{name} [crashing|crash loop|exit {code}|keeps exiting]",),
        wrong_diagnoses=(
            (
                "oom",
                (
                    "{name} [probably|presumably] [runs|ran] out of memory [when it "
                    "starts|while it boots]."
                ),
            ),
            (
                "dependency-down",
                (
                    "{name} [cannot start|dies], [something|a backend] it needs [is "
                    "missing|is unreachable]."
                ),
            ),
            ("liveness-probe", "The liveness probe kills {name} [too early|before it is up]."),
        ),
        evidence=(
            EvidenceText("Log", "Pod/{pod}/{container}", f"[ERROR|fatal|panic|E] {log}"),
            EvidenceText("Event", "Pod/{pod}", "BackOff: restarting failed container {container}"),
            EvidenceText("Metric", "prometheus", "kube_pod_container_restarts [rising|{restarts}]"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=repairs,
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=rules),
        text_values={**values, "pod": system.pods[-1].name, "restarts": system.pods[-1].restarts},
    )


def missing_key(rng: Rng, system: System) -> BrokenSystem:
    """A variable is taken from a key that its ConfigMap does not have."""
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
    "bad-image": bad_image,
    "bad-command": bad_command,
    "bad-env": bad_env,
    "new-env": new_env,
    "missing-key": missing_key,
}
