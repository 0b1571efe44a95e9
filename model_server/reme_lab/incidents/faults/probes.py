"""Rollouts after which a probe asks in vain: the probe or the port is wrong."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import (
    BACK,
    MORE_RESOURCES,
    RESTART,
    SCALE,
    felt_by_all,
)
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import NumericSetting
from reme_playbook.actions.registry import PatchProbe, SetEnv


def wrong_port(draw: Draw, system: System) -> Incident:
    """The program listens at another port than it is asked at."""
    port = draw.parameter((4001, 4040, 5151, 6001, 7001, 7788, 8484, 9999))
    variable = draw.one(("LISTEN", "HTTP_PORT", "SERVER_PORT", "BIND_PORT", "APP_PORT"))
    system.set_env(variable, str(system.port))
    system.original = copy.deepcopy(system.template)
    system.roll(lambda _, __: system.set_env(variable, str(port)))
    system.stick(ready=False)
    system.event(
        "Unhealthy",
        f"Readiness probe failed: dial tcp 10.1.0.7:{system.port}: connect: connection refused",
        draw.number(5, 80),
    )
    return Incident(
        system,
        types=("wrong-port", "port-mismatch", "not-ready", "connection-refused"),
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
        terse=("{name} [not ready|refused on {old}|unready since deploy]",),
        astray=(
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
        clues=(
            Clue("Log", "Pod/{pod}/{container}", "[listening on|bound to|serving at] :{port}"),
            Clue("Event", "Pod/{pod}", "Unhealthy: [probe|check] at {old}: connection refused"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=(BACK, (wish(SetEnv, variable=variable),)),
        useless=(RESTART, MORE_RESOURCES, SCALE),
        hidden=Hidden(reads=(NumericSetting("port", variable),)),
        values={"port": port, "old": system.port, "pod": system.pods[-1].name},
    )


def wrong_probe(draw: Draw, system: System) -> Incident:
    """The readiness probe asks where nothing answers."""
    asked = system.main["readinessProbe"]["httpGet"]["path"]
    where: Json = {"port": system.port + draw.parameter((1, 2, 10, 11, 100, 7, 20, 50))}
    if draw.chance(40):
        where = {
            "path": draw.parameter(
                ("/readyz", "/status", "/api/health", "/_ok", "/probe", "/hc", "/ready2", "/check")
            )
        }

    def change(_: Json, main: Json) -> None:
        main["readinessProbe"]["httpGet"].update(where)

    system.roll(change)
    system.stick(ready=False)
    said = (
        f"connect: connection refused at {where['port']}"
        if "port" in where
        else "HTTP probe failed with statuscode: 404"
    )
    system.event("Unhealthy", f"Readiness probe failed: {said}", draw.number(5, 80))
    return Incident(
        system,
        types=("wrong-probe", "readiness-probe", "probe-misconfigured", "not-ready", "unready"),
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
        terse=("{name} [never ready|probe fails|unready]",),
        astray=(
            ("cpu-stress", "{name} [is starved|has no CPU left] and [misses|fails] its checks."),
            ("network-loss", "[Checks|Probes] of {name} get lost [on the way|in the network]."),
            ("bad-image", "{name} has a [wrong|broken] image."),
        ),
        clues=(
            Clue("Event", "Pod/{pod}", "Unhealthy: {said}"),
            Clue("Log", "Pod/{pod}/{container}", "[started|ready to serve|up]"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=(BACK, (wish(PatchProbe, probe="readiness"),)),
        useless=(RESTART, MORE_RESOURCES, SCALE),
        hidden=Hidden(usual={"any_path": False, "paths": frozenset({"/", "/alive", asked})}),
        values={"where": next(iter(where.values())), "said": said, "pod": system.pods[-1].name},
    )


def tight_probe(draw: Draw, system: System) -> Incident:
    """A liveness probe that does not wait for the start."""
    start = draw.parameter((12, 14, 22, 28, 35, 40, 50, 70))
    probe = {
        "httpGet": {"path": "/alive", "port": system.port},
        "initialDelaySeconds": draw.one((0, 1, 2)),
        "periodSeconds": draw.one((1, 2)),
        "failureThreshold": draw.one((1, 2)),
    }

    if "livenessProbe" in system.main:
        system.main["livenessProbe"]["initialDelaySeconds"] = start
        system.original = copy.deepcopy(system.template)

    def change(_: Json, main: Json) -> None:
        main["livenessProbe"] = probe
        if draw.chance(50):
            main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(draw)}"

    system.roll(change)
    waiting = draw.chance(60)
    state: Json = {
        "state": {"running": {}},
        "lastState": {
            "terminated": {
                "reason": draw.one(("Error", "Completed")),
                "exitCode": draw.one((137, 143)),
            }
        },
    }
    if waiting:
        state["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    system.stick(ready=False, restarts=draw.number(3, 25), state=state)
    system.event("Unhealthy", "Liveness probe failed: connection refused", draw.number(5, 50))
    system.event(
        "Killing",
        f"Container {system.container} failed liveness probe, will be restarted",
        draw.number(3, 25),
    )
    return Incident(
        system,
        types=("tight-probe", "liveness-probe", "probe-kills", "restart-loop", "liveness-failure"),
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
        terse=("{name} [restart loop|killed by probe|restarts nonstop]",),
        astray=(
            ("oom", "{name} [is killed|gets killed], it [hits|reaches] its memory limit."),
            ("bad-command", "{name} [ends|exits] [by itself|on its own], its command is wrong."),
        ),
        clues=(
            Clue("Event", "Pod/{pod}", "Killing: {container} failed liveness[ check|]"),
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                "[loading|warming up|migrating], [{half}%|{half} of {start} s] done",
            ),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=(BACK, (wish(PatchProbe, probe="liveness"),)),
        useless=(RESTART, MORE_RESOURCES, SCALE),
        hidden=Hidden(usual={"startup_seconds": start}),
        values={"start": start, "half": start // 2, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, Maker] = {
    "wrong-port": wrong_port,
    "wrong-probe": wrong_probe,
    "tight-probe": tight_probe,
}
