"""Rollouts that changed how the pods run, rather than what they run: only the last one helps."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, FaultEffects, FaultMaker
from reme_lab.incidents.faults.common import MORE_RESOURCES, RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_lab.simulator.template_facts import template_facts


class Change(NamedTuple):
    """What a rollout changed, and what comes of it."""

    types: Sequence[str]
    said: str
    """What a tool says of it; a pattern of text."""
    log: str
    """What the program says."""
    felt: Sequence[str]
    make: Callable[[Rng, Json, Json], None]
    """Changes the pod's spec and its first container."""


def _put(**fields: Any) -> Callable[[Rng, Json, Json], None]:
    """Return what sets fields of the pod's spec; a function is called with the draw."""
    return lambda rng, spec, _: spec.update(_drawn(rng, fields))


def _put_in_container(**fields: Any) -> Callable[[Rng, Json, Json], None]:
    return lambda rng, _, main: main.update(_drawn(rng, fields))


def _drawn(rng: Rng, fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value(rng) if callable(value) else value for key, value in fields.items()}


def _join(rng: Rng, spec: Json, main: Json) -> None:
    """Put a container beside the first, through which all traffic goes."""
    del main
    name = rng.choice(("mesh-proxy", "envoy", "waf", "inspector", "tracer", "cache-proxy"))
    spec["containers"].append(
        {
            "name": name,
            "image": f"{name}:{names.tag(rng)}",
            "resources": {"limits": {"cpu": "50m", "memory": "64Mi"}},
        }
    )


# A rollback that brings another account, or another runtime, is refused by the gate.
CHANGES = (
    Change(
        ("security-context", "permission-denied", "http-500", "bad-rollout"),
        "[pods of {name}|{name}] [run as another user|may not read their files]",
        "[EACCES|permission denied]: [/srv/data|/etc/app/key.pem|/tmp/cache]",
        ("errors", "errors", "refused"),
        _put(securityContext=lambda d: {"runAsUser": d.choice((1001, 3000, 10001, 65532, 65534))}),
    ),
    Change(
        ("read-only-filesystem", "write-errors", "bad-rollout", "http-500"),
        "{name} [cannot write|fails to write] [its files|temporary files|any file]",
        "[EROFS|read-only file system]: [/var/run/app|/tmp/upload|/srv/work]",
        ("errors",),
        _put_in_container(securityContext={"readOnlyRootFilesystem": True}),
    ),
    Change(
        ("capability-missing", "operation-not-permitted", "bad-rollout"),
        "{name} [lacks a capability|is not permitted what it needs]",
        "operation not permitted",
        ("errors", "refused"),
        _put_in_container(securityContext={"capabilities": {"drop": ["ALL"]}}),
    ),
    Change(
        ("hosts-entry", "wrong-address", "connection-timeout", "bad-rollout"),
        "[calls of {name}|{name}] [go to|reach] [an address that nobody has|a host that is gone]",
        "[dial tcp|connect] 198.51.100.7: [i/o timeout|no route to host]",
        ("errors", "silent"),
        _put(hostAliases=[{"ip": "198.51.100.7", "hostnames": ["backend", "store"]}]),
    ),
    Change(
        ("working-directory", "file-not-found", "http-500", "bad-rollout"),
        "{name} [does not find|misses] its [templates|assets|files]",
        "[ENOENT|no such file or directory]: [templates/index|assets/main|conf.d]",
        ("errors",),
        _put_in_container(workingDir=lambda d: d.choice(("/", "/opt", "/home", "/srv/old"))),
    ),
    Change(
        ("sidecar", "proxy-errors", "high-latency", "bad-rollout"),
        "[all calls to {name}|calls of {name}] [go through|pass] a [proxy|container] "
        "[that is slow|that fails|which was not there before]",
        "[proxy: upstream reset|proxy: 503 UF|request held for 2100 ms]",
        ("errors", "slow"),
        _join,
    ),
)
_WORSE: dict[str, dict[str, Any]] = {
    "errors": {"error_percent": 60},
    "slow": {"latency_milliseconds": 2500},
    "silent": {"latency_milliseconds": 9000},
    "refused": {"port": 4},
}
"""How the program behaves then, by what users feel."""
_SINCE = "[since|after|right after] [its last change|the last rollout|the newest revision]"


def bad_change(rng: Rng, system: System) -> BrokenSystem:
    """A rollout changed the security context, an account, a sidecar or the like."""
    one = rng.choice(CHANGES)
    felt = rng.choice(one.felt)

    def change(template: Json, main: Json) -> None:
        one.make(rng, template["spec"], main)

    system.roll_out(change)
    system.replace_all(ready=felt != "refused")
    told = is_one_of("runtime_settings", template_facts(system.template).runtime_settings)
    changed = {
        "errors": "[fails|answers with errors]",
        "slow": "is slow",
        "silent": "does not answer",
        "refused": "refuses connections",
    }[felt]
    return BrokenSystem(
        system,
        fault_types=one.types,
        summaries=(
            one.said + f" {_SINCE}.",
            "{name} " + changed + f" {_SINCE}: " + one.said + ".",
        ),
        terse_summaries=("{name} " + changed + " [since deploy|after rollout|]",),
        wrong_diagnoses=(
            ("memory-stress", "{name} " + changed + "; [its memory|its heap] [is full|leaks]."),
            ("overload", "{name} " + changed + "; it [needs more pods|is overloaded]."),
            ("dependency-down", "{name} " + changed + ": something that it calls is down."),
        ),
        evidence=(
            EvidenceText("Log", "Pod/{pod}/{container}", one.log),
            EvidenceText(
                "Text", "deploy log", "{name} [rolled out|changed] [{minutes} min ago|just now]"
            ),
        ),
        user_impact=felt,
        repairs=(ROLL_BACK,),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=(rule(told, **_WORSE[felt]),)),
        text_values={"pod": system.pods[0].name, "minutes": rng.integer(3, 40)},
    )


FAULTS: dict[str, FaultMaker] = {"bad-change": bad_change}
