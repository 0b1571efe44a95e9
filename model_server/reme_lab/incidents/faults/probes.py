"""Rollouts with a wrong probe or a wrong port."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import (
    MORE_RESOURCES,
    RESTART,
    ROLL_BACK,
    SCALE,
    impact_unless_served,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import NumericSetting
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.probe import PatchProbe


def wrong_port(rng: Rng, system: System) -> BrokenSystem:
    """The program listens on another port than the probe uses."""
    port = rng.parameter((4001, 4040, 5151, 6001, 7001, 7788, 8484, 9999))
    variable = rng.choice(("LISTEN", "HTTP_PORT", "SERVER_PORT", "BIND_PORT", "APP_PORT"))
    system.set_env(variable, str(system.port))
    system.original = copy.deepcopy(system.template)
    system.roll_out(lambda _, __: system.set_env(variable, str(port)))
    system.stick_rollout(ready=False)
    system.add_event(
        "Unhealthy",
        f"Readiness probe failed: dial tcp 10.1.0.7:{system.port}: connect: connection refused",
        rng.integer(5, 80),
    )
    return BrokenSystem(
        system,
        fault_types=("wrong-port", "port-mismatch", "not-ready", "connection-refused"),
        summaries=(
            (
                "{name} [listens|binds] [on|to] {port} [now|since its last change][, "
                "everybody asks {old}|]."
            ),
            (
                "[Nobody|Nothing] [answers|listens] at {old} in [the new pods|the newest "
                "pod] of {name}."
            ),
        ),
        terse_summaries=("{name} [not ready|refused on {old}|unready since deploy]",),
        wrong_diagnoses=(
            (
                "cpu-throttling",
                "{name} [starts|boots] too slowly; [more CPU|a higher quota] would [help|do].",
            ),
            (
                "network-policy",
                (
                    "{name} [is walled off|is blocked]; some policy [denies|drops] the "
                    "[connections|probes]."
                ),
            ),
            (
                "readiness-probe",
                "{name} is [fine|up], [its probe|the probe] is [too strict|broken].",
            ),
        ),
        evidence=(
            EvidenceText(
                "Log", "Pod/{pod}/{container}", "[listening on|bound to|serving at] :{port}"
            ),
            EvidenceText(
                "Event", "Pod/{pod}", "Unhealthy: [probe|check] at {old}: connection refused"
            ),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=(ROLL_BACK, (expect(SetEnv, variable=variable),)),
        useless_repairs=(RESTART, MORE_RESOURCES, SCALE),
        effects=FaultEffects(numeric_settings=(NumericSetting("port", variable),)),
        text_values={"port": port, "old": system.port, "pod": system.pods[-1].name},
    )


def wrong_probe(rng: Rng, system: System) -> BrokenSystem:
    """The readiness probe requests a path that does not exist."""
    http_get = system.main_container["readinessProbe"]["httpGet"]["path"]
    where: Json = {"port": system.port + rng.parameter((1, 2, 10, 11, 100, 7, 20, 50))}
    if rng.chance(40):
        where = {
            "path": rng.parameter(
                ("/readyz", "/status", "/api/health", "/_ok", "/probe", "/hc", "/ready2", "/check")
            )
        }

    def change(_: Json, main: Json) -> None:
        main["readinessProbe"]["httpGet"].update(where)

    system.roll_out(change)
    system.stick_rollout(ready=False)
    message = (
        f"connect: connection refused at {where['port']}"
        if "port" in where
        else "HTTP probe failed with statuscode: 404"
    )
    system.add_event("Unhealthy", f"Readiness probe failed: {message}", rng.integer(5, 80))
    return BrokenSystem(
        system,
        fault_types=(
            "wrong-probe",
            "readiness-probe",
            "probe-misconfigured",
            "not-ready",
            "unready",
        ),
        summaries=(
            (
                "The readiness [check|probe] of {name} [asks|looks at] {where}, [where "
                "nothing is|which does not exist]."
            ),
            (
                "{name} [works|runs] but [is never ready|gets no traffic]: its [probe|check] "
                "[was changed|points elsewhere]."
            ),
        ),
        terse_summaries=("{name} [never ready|probe fails|unready]",),
        wrong_diagnoses=(
            ("cpu-stress", "{name} [is starved|has no CPU left] and [misses|fails] its checks."),
            ("network-loss", "[Checks|Probes] of {name} get lost [on the way|in the network]."),
            ("bad-image", "{name} has a [wrong|broken] image."),
        ),
        evidence=(
            EvidenceText("Event", "Pod/{pod}", "Unhealthy: {said}"),
            EvidenceText("Log", "Pod/{pod}/{container}", "[started|ready to serve|up]"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=(ROLL_BACK, (expect(PatchProbe, probe="readiness"),)),
        useless_repairs=(RESTART, MORE_RESOURCES, SCALE),
        effects=FaultEffects(
            default_behaviour={"any_path": False, "paths": frozenset({"/", "/alive", http_get})}
        ),
        text_values={
            "where": next(iter(where.values())),
            "said": message,
            "pod": system.pods[-1].name,
        },
    )


def tight_probe(rng: Rng, system: System) -> BrokenSystem:
    """The liveness probe does not wait for the start of the program."""
    start = rng.parameter((12, 14, 22, 28, 35, 40, 50, 70))
    probe = {
        "httpGet": {"path": "/alive", "port": system.port},
        "initialDelaySeconds": rng.choice((0, 1, 2)),
        "periodSeconds": rng.choice((1, 2)),
        "failureThreshold": rng.choice((1, 2)),
    }

    if "livenessProbe" in system.main_container:
        system.main_container["livenessProbe"]["initialDelaySeconds"] = start
        system.original = copy.deepcopy(system.template)

    def change(_: Json, main: Json) -> None:
        main["livenessProbe"] = probe
        if rng.chance(50):
            main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(rng)}"

    system.roll_out(change)
    waiting = rng.chance(60)
    state: Json = {
        "state": {"running": {}},
        "lastState": {
            "terminated": {
                "reason": rng.choice(("Error", "Completed")),
                "exitCode": rng.choice((137, 143)),
            }
        },
    }
    if waiting:
        state["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    system.stick_rollout(ready=False, restarts=rng.integer(3, 25), state=state)
    system.add_event("Unhealthy", "Liveness probe failed: connection refused", rng.integer(5, 50))
    system.add_event(
        "Killing",
        f"Container {system.container} failed liveness probe, will be restarted",
        rng.integer(3, 25),
    )
    return BrokenSystem(
        system,
        fault_types=(
            "tight-probe",
            "liveness-probe",
            "probe-kills",
            "restart-loop",
            "liveness-failure",
        ),
        summaries=(
            (
                "{name} [wants|needs] {start} s to [boot|warm up], [its liveness check|the "
                "kubelet] [does not wait|kills it earlier]."
            ),
            (
                "[Liveness|The liveness check] [shoots|kills|restarts] {name} [before it is "
                "up|during its start][, again and again|]."
            ),
        ),
        terse_summaries=("{name} [restart loop|killed by probe|restarts nonstop]",),
        wrong_diagnoses=(
            ("oom", "{name} [is killed|gets killed], it [hits|reaches] its memory limit."),
            ("bad-command", "{name} [ends|exits] [by itself|on its own], its command is wrong."),
        ),
        evidence=(
            EvidenceText("Event", "Pod/{pod}", "Killing: {container} failed liveness[ check|]"),
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                "[loading|warming up|migrating], [{half}%|{half} of {start} s] done",
            ),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=(ROLL_BACK, (expect(PatchProbe, probe="liveness"),)),
        useless_repairs=(RESTART, MORE_RESOURCES, SCALE),
        effects=FaultEffects(default_behaviour={"startup_seconds": start}),
        text_values={"start": start, "half": start // 2, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, FaultMaker] = {
    "wrong-port": wrong_port,
    "wrong-probe": wrong_probe,
    "tight-probe": tight_probe,
}
