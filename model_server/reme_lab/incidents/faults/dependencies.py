"""Rollouts that break or overload a dependency."""

from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import MORE_RESOURCES, RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.env import SetEnv


def wrong_dependency(rng: Rng, system: System) -> BrokenSystem | None:
    """The address of a dependency is misspelt."""
    called = [n for n in system.neighbours if n.called_by_target]
    entries = [
        e for e in system.main_container["env"] if called and called[0].name in e.get("value", "")
    ]
    if not entries:
        return None
    right, name = called[0].name, entries[0]["name"]
    wrong = rng.parameter(
        (
            f"{right}s",
            f"{right}-old",
            right[:-1],
            f"my-{right}",
            f"{right}2",
            f"{right}-int",
            right.replace("-", "") + "x",
            f"{right}-prod",
        )
    )
    value = entries[0]["value"].replace(right, wrong)
    system.roll_out(lambda _, __: system.set_env(name, value))
    system.replace_all()
    return BrokenSystem(
        system,
        fault_types=(
            "wrong-dependency",
            "unresolved-host",
            "wrong-address",
            "bad-gateway",
            "unknown-host",
        ),
        summaries=(
            (
                "{name} [asks|calls|dials] {wrong}, [which nobody knows|a host that does not "
                "exist|an unknown host]."
            ),
            "[Lookups|Name lookups] of {wrong} fail in {name}[; it means {right}|].",
            "{name} [cannot find|has lost] its [backend|upstream][ since its last change|].",
        ),
        terse_summaries=("{name} [bad gateway|502|unknown host]",),
        wrong_diagnoses=(
            (
                "dependency-down",
                "{name} [answers|returns] 502, {right} [is away|went away|does not answer].",
            ),
            (
                "network-policy",
                "{name} [is cut off|cannot connect], [a policy|a firewall] blocks it.",
            ),
        ),
        evidence=(
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                "[dial tcp: lookup|getaddrinfo|could not resolve] {wrong}: [no such host|NXDOMAIN]",
            ),
            EvidenceText("Metric", "gateway", "502 share {share}%"),
        ),
        user_impact="errors",
        repairs=(ROLL_BACK, (expect(SetEnv, variable=name),)),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        text_values={
            "wrong": wrong,
            "right": right,
            "pod": system.pods[0].name,
            "share": rng.integer(60, 100),
        },
    )


def retry_storm(rng: Rng, system: System) -> BrokenSystem | None:
    """Since the last rollout it retries its dependency far too often."""
    called = [n for n in system.neighbours if n.called_by_target]
    if not called:
        return None
    tries, wait = rng.parameter((6, 7, 9, 14, 16, 18, 20, 25)), rng.choice((100, 150, 200, 300))
    first, second = rng.choice(
        (("ATTEMPTS", "BACKOFF_MS"), ("MAX_TRIES", "DEADLINE_MS"), ("REPEAT", "PATIENCE_MS"))
    )

    def change(_: Json, __: Json) -> None:
        system.set_env(first, str(tries))
        system.set_env(second, str(wait))

    system.roll_out(change)
    system.replace_all()
    return BrokenSystem(
        system,
        fault_types=(
            "retry-storm",
            "retries",
            "request-amplification",
            "impatient-client",
            "thundering-herd",
        ),
        summaries=(
            (
                "{name} [repeats|retries] each call to {other} {tries} times[, after {wait} "
                "ms|][ since its last change|]."
            ),
            (
                "[Every request|Each request] [becomes|turns into] {tries} calls to {other}, "
                "[which cannot keep up|none is waited for]."
            ),
        ),
        terse_summaries=("{name} [retries nonstop|retry storm|floods {other}]",),
        wrong_diagnoses=(
            ("overload", "{other} [is too small|needs replicas] for {name}."),
            ("network-loss", "[Calls|Answers] between {name} and {other} get lost."),
        ),
        evidence=(
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                "[attempt {tries} of {tries}|giving up on {other} after {tries} tries]",
            ),
            EvidenceText(
                "Metric", "mesh", "{name} -> {other} [rps x{tries}|{tries} calls per request]"
            ),
        ),
        user_impact=rng.choice(("errors", "slow")),
        repairs=(ROLL_BACK,),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=(rule(is_one_of(first, str(tries)), error_percent=70),)),
        text_values={
            "tries": tries,
            "wait": wait,
            "other": called[0].name,
            "pod": system.pods[0].name,
        },
    )


FAULTS: dict[str, FaultMaker] = {
    "wrong-dependency": wrong_dependency,
    "retry-storm": retry_storm,
}
