"""Rollouts whose new pods do not start; a rollback repairs them."""

import re

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
from reme_lab.simulator import SettingCondition, rule
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.image import SetImage


def bad_image(rng: Rng, system: System) -> BrokenSystem:
    """The new image cannot be pulled."""
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
    """The image cannot run its command."""
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
    return crashing_rollout(
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


FAULTS: dict[str, FaultMaker] = {
    "bad-image": bad_image,
    "bad-command": bad_command,
}
