"""Rollouts whose new pods start, and work worse than the old ones."""

from collections.abc import Sequence

from reme_lab.incidents import names
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
from reme_lab.simulator import RecurringStress, Stress, is_one_of, rule
from reme_playbook.actions.env import SetEnv


def bad_version(rng: Rng, system: System) -> BrokenSystem:
    """A new version starts well and responds with errors."""
    return _worse_version(
        rng,
        system,
        (
            "bad-version",
            "bad-rollout",
            "error-rate",
            "http-errors",
            "regression",
            "bad-release",
            "http-500",
        ),
        (
            (
                "[{amount}% of|Most|Many|A large share of] [calls|requests] to {name} "
                "[fail|end in errors|get a 500] [since|after|right after] [its upgrade|the "
                "upgrade|it was updated|the new build went out]."
            ),
            (
                "The [new|current|latest] [build|image|release] of {name} [is "
                "broken|misbehaves|returns 5xx]; [the old one was fine|its predecessor did "
                "not]."
            ),
            (
                "[Errors|Failures|HTTP 500s] [began|started] with the [newest|last|latest] "
                "[rollout|deploy|revision|change] of {name}[: {amount}% of calls|]."
            ),
            (
                "[Rollout|Deploy|Change] of {name}: [the share of 5xx|its error rate] [is|went "
                "to|jumped to] {amount}%."
            ),
            (
                "{name} [answers|has answered] {amount}% of [calls|requests|all requests] with "
                "[HTTP 500|status 500|an error] [ever since|since] [its last rollout|it was "
                "rolled out|the last deploy|the change]."
            ),
            (
                "Until the last [rollout|deploy|change] [nothing failed|all was well]; now "
                "[every|nearly every|every other|each] [call|request] [to {name}|] "
                "[fails|ends in HTTP 500|gets an error]."
            ),
        ),
        (
            "{name} [5xx after upgrade|HTTP 500s since deploy|errors after release]",
            "[HTTP 500|errors] [from|by] {name} since [rollout|last deploy]",
        ),
        (
            (
                "memory-stress",
                "{name} [errors|fails]; [its heap|its memory] [is exhausted|looks exhausted].",
            ),
            ("overload", "{name} [errors|fails] under [load|traffic]; scale it."),
            ("dependency-down", "{name} [errors|fails] because a [backend|database] is gone."),
            ("cpu-stress", "{name} [errors|fails] for lack of CPU."),
        ),
        "errors",
        # 100 is listed twice: most often every request fails.
        rng.parameter((100, 20, 30, 40, 45, 70, 75, 100, 90, 95)),
    )


def slow_version(rng: Rng, system: System) -> BrokenSystem:
    """A new version is slow without using the CPU."""
    return _worse_version(
        rng,
        system,
        (
            "slow-version",
            "bad-rollout",
            "slow-release",
            "latency-regression",
            "performance-regression",
        ),
        (
            (
                "{name} [needs|takes] {amount} ms [per call|for an answer] [since|after] "
                "[its upgrade|the update|the new build][; CPU is idle|]."
            ),
            (
                "[Latency|Response time] of {name} [went through the "
                "roof|multiplied|exploded] with the [new|latest] [build|release]."
            ),
        ),
        ("{name} [slow since deploy|slow after upgrade|latency after release]",),
        (
            ("cpu-throttling", "{name} is slow; [raise|lift] its CPU [quota|limit]."),
            ("network-delay", "{name} is slow; the network [adds delay|is slow]."),
            ("overload", "{name} is slow; [it has too few pods|more pods are needed]."),
        ),
        "slow",
        rng.parameter((900, 1200, 1500, 1700, 2200, 2600, 3200, 4000)),
    )


_FAILS = (
    "[unhandled exception|NullPointerException|KeyError|assertion failed] in handler",
    "ERROR [{image}|{variable} {value}|]: [internal error|request failed] [on|in] [/|/list|GET /]",
    "[ERROR|E!|level=error] [HTTP 500|status 500|unexpected error] [for|on] [GET /|/]",
    "[panic|fatal|ERROR]: [index out of range|nil pointer|division by zero|undefined]",
)
"""Log lines of a bad version, which any program may write."""


def _worse_version(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    astray: Sequence[tuple[str, str]],
    user_impact: str,
    amount: int,
) -> BrokenSystem:
    repository = system.main_container["image"].rpartition(":")[0]
    image, variable = f"{repository}:{names.tag(rng)}", system.main_container["env"][0]["name"]
    value = str(rng.integer(100, 999))
    form = rng.integer(0, 3)
    condition = is_one_of(variable, value) if form == 1 else is_one_of("image", image)
    worse = {"latency_milliseconds": amount} if user_impact == "slow" else {"error_percent": amount}

    def change(_: Json, main: Json) -> None:
        if form != 1:
            main["image"] = image
        if form in (1, 2):
            system.set_env(variable, value)
        if form == 1 and rng.chance(50):
            system.set_env(rng.choice(("BUILD_ID", "APP_REVISION", "RELEASE")), names.tag(rng))

    system.roll_out(change)
    system.replace_all()
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=summaries,
        terse_summaries=terse,
        wrong_diagnoses=astray,
        evidence=(
            EvidenceText(
                "Metric",
                rng.choice(("gateway", "ingress", "edge", "users", "load balancer", "entry")),
                "[5xx share {amount}%|error ratio {amount}%|50[0|2|3] for {amount}% of all calls"
                "|HTTP 50[0|2|3] for {amount}% of calls]"
                "[ since {name} was rolled out| since the [rollout|deploy|change] of {name}|]"
                if user_impact == "errors"
                else "p95 {amount} ms",
            ),
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                rng.choice(_FAILS)
                if user_impact == "errors"
                else "[slow handler|WARN slow request|request took {amount} ms]",
            ),
            EvidenceText(
                "Text", "deploy log", "{name} [rolled out|upgraded] [{minutes} min ago|just before]"
            ),
        ),
        user_impact=user_impact,
        repairs=(ROLL_BACK,),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=(rule(condition, **worse),)),
        text_values={
            "amount": amount,
            "image": image.rpartition(":")[2],
            "variable": variable,
            "value": value,
            "pod": system.pods[0].name,
            "minutes": rng.integer(3, 30),
        },
    )


def returning_stress(rng: Rng, system: System) -> BrokenSystem:
    """A setting of the last rollout makes every pod use all its CPU."""
    variable = rng.choice(
        ("REINDEX", "WARMUP", "PREFETCH", "COMPACTION", "REPORTS", "SYNC_JOB", "CRAWL")
    )
    value = rng.parameter(
        ("always", "eager", "aggressive", "continuous", "all", "turbo", "deep", "max")
    )
    system.roll_out(lambda _, __: system.set_env(variable, value))
    system.replace_all()
    for pod in system.pods:
        system.usage[pod.name] = (rng.integer(95, 101), system.memory_percent)
    return BrokenSystem(
        system,
        fault_types=(
            "returning-stress",
            "cpu-stress",
            "high-cpu",
            "cpu-saturation",
            "recurring-load",
        ),
        summaries=(
            (
                "[All pods|Every pod|The pods] of {name} [burn|use up] their CPU [since "
                "{variable} is {value}|since the last change|][; fresh ones too|]."
            ),
            (
                "{name} [saturates|exhausts] its CPU [again|anew] [after every restart|in "
                "each new pod]."
            ),
        ),
        terse_summaries=("{name} [cpu saturated|CPU 100%|cpu high]",),
        wrong_diagnoses=(
            (
                "runaway-process",
                "A [stray|wild|stuck] process [eats|burns] the CPU of {name}; [kill|bounce] it.",
            ),
            ("overload", "{name} [is popular|gets much traffic]; add pods."),
        ),
        evidence=(
            EvidenceText("Metric", "Pod/{pod}/{container}", "cpu 100% of its limit"),
            EvidenceText("Log", "Pod/{pod}/{container}", "{variable} [is {value}|runs|started]"),
        ),
        user_impact=rng.choice(("", "slow")),
        repairs=(ROLL_BACK, (expect(SetEnv, variable=variable),)),
        useless_repairs=(RESTART, SCALE),
        effects=FaultEffects(
            recurring_stress=(RecurringStress(Stress(cpu=True), (is_one_of(variable, value),)),)
        ),
        text_values={"variable": variable, "value": value, "pod": system.pods[0].name},
        usage_thresholds={"cpu": rng.choice((50, 60, 80))},
    )


FAULTS: dict[str, FaultMaker] = {
    "bad-version": bad_version,
    "slow-version": slow_version,
    "returning-stress": returning_stress,
}
