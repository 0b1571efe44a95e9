"""Rollouts whose new pods do not start: going back is the repair."""

import re
from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, Repair, wish
from reme_lab.incidents.faults.common import (
    BACK,
    MORE_RESOURCES,
    RESTART,
    SCALE,
    crash,
    felt_by_all,
    waiting,
)
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import BehaviourRule, SettingCondition, is_one_of, rule
from reme_playbook.actions.registry import SetCommand, SetEnv, SetImage


def bad_image(draw: Draw, system: System) -> Incident:
    """A new image that cannot be pulled."""
    repository, _, old = system.main["image"].rpartition(":")
    wrong = draw.parameter(
        (
            f"{old}-final",
            f"{old}x",
            f"{names.tag(draw)}-snapshot",
            "lates",
            f"{old}-arm",
            "release",
            f"{old}-beta9",
            "nightly",
        )
    )
    image = f"{repository}:{wrong}"
    if draw.chance(20):
        image = f"{names.word(draw)}/{system.name}:{old}"
    system.roll(lambda _, main: main.update(image=image))
    reason = draw.one(("ImagePullBackOff", "ErrImagePull"))
    system.stick(**waiting(reason, f"Back-off pulling image '{image}'"))
    system.event("Failed", f"Failed to pull image '{image}': not found", draw.number(1, 30))
    return Incident(
        system,
        types=(
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
        terse=("{name} [{reason}|image missing|pull fails]",),
        astray=(
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
        clues=(
            Clue(
                "Event",
                "Pod/{pod}",
                "{reason}: [manifest unknown|not found|pull access denied] {image}",
            ),
            Clue(
                "Text",
                "Deployment/{name}",
                "[rollout incomplete|new ReplicaSet has no available pod]",
            ),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=(BACK, (wish(SetImage),)),
        useless=(RESTART, SCALE, MORE_RESOURCES),
        values={
            "image": image,
            "wrong": image.rpartition(":")[2],
            "reason": reason,
            "pod": system.pods[-1].name,
        },
    )


def bad_command(draw: Draw, system: System) -> Incident:
    """A command that the image cannot run."""
    word = draw.parameter(
        ("serve", "runserver", "start.sh", "gunicorn", "main.py", "launch", "boot", "daemonize")
    )
    command = draw.one(([f"./{word}"], ["sh", "-c", word], ["/opt/bin/" + word], ["node", word]))

    def change(_: Json, main: Json) -> None:
        if draw.chance(75) or "command" not in main:
            main["command"] = command
        else:
            main["args"] = [f"--{word}"]

    system.roll(change)
    code = draw.one((1, 2, 126, 127, 128))
    system.stick(
        **crash(draw, code, draw.one(("Error", "Error", "StartError", "ContainerCannotRun")))
    )
    return crashing(
        draw,
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
        (BACK, (wish(SetCommand),)),
        {"word": word, "code": code},
        rule(SettingCondition("command", pattern=f".*{re.escape(word)}.*"), exit_code=code),
        rule(SettingCondition("args", pattern=f".*{re.escape(word)}.*"), exit_code=code),
    )


def bad_env(draw: Draw, system: System) -> Incident:
    """A variable with a value that the program does not take."""
    variable = system.main["env"][0]["name"]
    value = draw.parameter(
        ("lots", "unlimited", "ten", "null", "NaN", "n/a", "-", "much", "off", "tbd")
    )
    system.roll(lambda _, __: system.set_env(variable, value))
    code = draw.one((1, 1, 2, 78))
    system.stick(**crash(draw, code))
    return crashing(
        draw,
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
        (BACK, (wish(SetEnv, variable=variable),)),
        {"variable": variable, "value": value, "code": code},
        rule(is_one_of(variable, value), exit_code=code),
    )


def new_env(draw: Draw, system: System) -> Incident:
    """A variable that is new and that the program cannot live with."""
    variable, value = (
        names.flag(draw),
        draw.parameter(("strict", "experimental", "v9", "legacy", "shadow", "on", "next", "alpha")),
    )
    system.roll(lambda _, __: system.set_env(variable, value))
    system.stick(**crash(draw, 1))
    return crashing(
        draw,
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
        (BACK,),
        {"variable": variable, "value": value, "code": 1},
        rule(is_one_of(variable, value), exit_code=1),
    )


def crashing(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    log: str,
    repairs: Sequence[Repair],
    values: dict[str, object],
    *rules: BehaviourRule,
) -> Incident:
    """Return the incident of a rollout whose pods end at their start."""
    system.event("BackOff", "Back-off restarting failed container", draw.number(3, 60))
    return Incident(
        system,
        types=types,
        summaries=(
            *summaries,
            (
                "{name} [crash loops|restarts over and over|is in CrashLoopBackOff][ with exit "
                "code {code}|]."
            ),
        ),
        terse=("{name} [crashing|crash loop|exit {code}|keeps exiting]",),
        astray=(
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
        clues=(
            Clue("Log", "Pod/{pod}/{container}", f"[ERROR|fatal|panic|E] {log}"),
            Clue("Event", "Pod/{pod}", "BackOff: restarting failed container {container}"),
            Clue("Metric", "prometheus", "kube_pod_container_restarts [rising|{restarts}]"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=repairs,
        useless=(RESTART, SCALE, MORE_RESOURCES),
        hidden=Hidden(rules=rules),
        values={**values, "pod": system.pods[-1].name, "restarts": system.pods[-1].restarts},
    )


def missing_key(draw: Draw, system: System) -> Incident:
    """A variable is taken from a key that its ConfigMap does not have."""
    system.config = system.config or {names.setting(draw): "5"}
    system.original_config = dict(system.config)
    key = draw.parameter(
        ("quota", "locale", "palette", "endpoint-set", "shards", "issuer", "bucket", "zone")
    )
    entry = {
        "name": names.flag(draw),
        "valueFrom": {"configMapKeyRef": {"name": system.config_name, "key": key}},
    }

    def change(_: Json, main: Json) -> None:
        main["env"] = [e for e in main["env"] if e["name"] != entry["name"]] + [entry]

    system.roll(change)
    system.stick(
        **waiting(
            "CreateContainerConfigError",
            f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}",
        )
    )
    return Incident(
        system,
        types=(
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
        terse=("{name} [config error|container not created]",),
        astray=(
            ("image-pull-error", "{name} [waits|hangs]; its image [does not arrive|is not there]."),
            ("node-pressure", "{name} [waits|hangs]; the node has no room."),
        ),
        clues=(
            Clue("Event", "Pod/{pod}", "Failed: couldn't find key {key} in ConfigMap {config}"),
            Clue("Text", "{name}", "[rollout stuck|new pod waiting]"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=(BACK,),
        useless=(RESTART, MORE_RESOURCES, SCALE),
        values={"key": key, "config": system.config_name, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, Maker] = {
    "bad-image": bad_image,
    "bad-command": bad_command,
    "bad-env": bad_env,
    "new-env": new_env,
    "missing-key": missing_key,
}
