"""Rollouts whose new pods start, and are worse than the old ones."""

from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import BACK, MORE_RESOURCES, RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import RecurringStress, Stress, is_one_of, rule
from reme_playbook.actions.registry import SetEnv


def bad_version(draw: Draw, system: System) -> Incident:
    """A new version that starts well and answers with errors."""
    return _worse_version(
        draw,
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
        # Twice 100: a release that answers nothing is the commonest.
        draw.parameter((100, 20, 30, 40, 45, 70, 75, 100, 90, 95)),
    )


def slow_version(draw: Draw, system: System) -> Incident:
    """A new version that is slow without using the CPU."""
    return _worse_version(
        draw,
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
        draw.parameter((900, 1200, 1500, 1700, 2200, 2600, 3200, 4000)),
    )


_FAILS = (
    "[unhandled exception|NullPointerException|KeyError|assertion failed] in handler",
    "ERROR [{image}|{variable} {value}|]: [internal error|request failed] [on|in] [/|/list|GET /]",
    "[ERROR|E!|level=error] [HTTP 500|status 500|unexpected error] [for|on] [GET /|/]",
    "[panic|fatal|ERROR]: [index out of range|nil pointer|division by zero|undefined]",
)
"""What the program of a bad version logs, as any program does."""


def _worse_version(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    astray: Sequence[tuple[str, str]],
    felt: str,
    amount: int,
) -> Incident:
    repository = system.main["image"].rpartition(":")[0]
    image, variable = f"{repository}:{names.tag(draw)}", system.main["env"][0]["name"]
    value = str(draw.number(100, 999))
    form = draw.number(0, 3)
    told = is_one_of(variable, value) if form == 1 else is_one_of("image", image)
    worse = {"latency_milliseconds": amount} if felt == "slow" else {"error_percent": amount}

    def change(_: Json, main: Json) -> None:
        if form != 1:
            main["image"] = image
        if form in (1, 2):
            system.set_env(variable, value)
        if form == 1 and draw.chance(50):
            system.set_env(draw.one(("BUILD_ID", "APP_REVISION", "RELEASE")), names.tag(draw))

    system.roll(change)
    system.replace_all()
    return Incident(
        system,
        types=types,
        summaries=summaries,
        terse=terse,
        astray=astray,
        clues=(
            Clue(
                "Metric",
                draw.one(("gateway", "ingress", "edge", "users", "load balancer", "entry")),
                "[5xx share {amount}%|error ratio {amount}%|50[0|2|3] for {amount}% of all calls"
                "|HTTP 50[0|2|3] for {amount}% of calls]"
                "[ since {name} was rolled out| since the [rollout|deploy|change] of {name}|]"
                if felt == "errors"
                else "p95 {amount} ms",
            ),
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                draw.one(_FAILS)
                if felt == "errors"
                else "[slow handler|WARN slow request|request took {amount} ms]",
            ),
            Clue(
                "Text", "deploy log", "{name} [rolled out|upgraded] [{minutes} min ago|just before]"
            ),
        ),
        felt=felt,
        repairs=(BACK,),
        useless=(RESTART, SCALE, MORE_RESOURCES),
        hidden=Hidden(rules=(rule(told, **worse),)),
        values={
            "amount": amount,
            "image": image.rpartition(":")[2],
            "variable": variable,
            "value": value,
            "pod": system.pods[0].name,
            "minutes": draw.number(3, 30),
        },
    )


def returning_stress(draw: Draw, system: System) -> Incident:
    """A setting of the last rollout makes every pod burn CPU."""
    variable = draw.one(
        ("REINDEX", "WARMUP", "PREFETCH", "COMPACTION", "REPORTS", "SYNC_JOB", "CRAWL")
    )
    value = draw.parameter(
        ("always", "eager", "aggressive", "continuous", "all", "turbo", "deep", "max")
    )
    system.roll(lambda _, __: system.set_env(variable, value))
    system.replace_all()
    for pod in system.pods:
        system.usage[pod.name] = (draw.number(95, 101), system.memory_percent)
    return Incident(
        system,
        types=("returning-stress", "cpu-stress", "high-cpu", "cpu-saturation", "recurring-load"),
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
        terse=("{name} [cpu saturated|CPU 100%|cpu high]",),
        astray=(
            (
                "runaway-process",
                "A [stray|wild|stuck] process [eats|burns] the CPU of {name}; [kill|bounce] it.",
            ),
            ("overload", "{name} [is popular|gets much traffic]; add pods."),
        ),
        clues=(
            Clue("Metric", "Pod/{pod}/{container}", "cpu 100% of its limit"),
            Clue("Log", "Pod/{pod}/{container}", "{variable} [is {value}|runs|started]"),
        ),
        felt=draw.one(("", "slow")),
        repairs=(BACK, (wish(SetEnv, variable=variable),)),
        useless=(RESTART, SCALE),
        hidden=Hidden(
            recurring_stress=(RecurringStress(Stress(cpu=True), (is_one_of(variable, value),)),)
        ),
        values={"variable": variable, "value": value, "pod": system.pods[0].name},
        most_percent={"cpu": draw.one((50, 60, 80))},
    )


def wrong_dependency(draw: Draw, system: System) -> Incident | None:
    """The address of a dependency is misspelt."""
    called = [n for n in system.neighbours if n.called]
    entries = [e for e in system.main["env"] if called and called[0].name in e.get("value", "")]
    if not entries:
        return None
    right, name = called[0].name, entries[0]["name"]
    wrong = draw.parameter(
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
    system.roll(lambda _, __: system.set_env(name, value))
    system.replace_all()
    return Incident(
        system,
        types=(
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
        terse=("{name} [bad gateway|502|unknown host]",),
        astray=(
            (
                "dependency-down",
                "{name} [answers|returns] 502, {right} [is away|went away|does not answer].",
            ),
            (
                "network-policy",
                "{name} [is cut off|cannot connect], [a policy|a firewall] blocks it.",
            ),
        ),
        clues=(
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                "[dial tcp: lookup|getaddrinfo|could not resolve] {wrong}: [no such host|NXDOMAIN]",
            ),
            Clue("Metric", "gateway", "502 share {share}%"),
        ),
        felt="errors",
        repairs=(BACK, (wish(SetEnv, variable=name),)),
        useless=(RESTART, SCALE, MORE_RESOURCES),
        values={
            "wrong": wrong,
            "right": right,
            "pod": system.pods[0].name,
            "share": draw.number(60, 100),
        },
    )


def retry_storm(draw: Draw, system: System) -> Incident | None:
    """It asks its dependency far too often and too impatiently since the last rollout."""
    called = [n for n in system.neighbours if n.called]
    if not called:
        return None
    tries, wait = draw.parameter((6, 7, 9, 14, 16, 18, 20, 25)), draw.one((100, 150, 200, 300))
    first, second = draw.one(
        (("ATTEMPTS", "BACKOFF_MS"), ("MAX_TRIES", "DEADLINE_MS"), ("REPEAT", "PATIENCE_MS"))
    )

    def change(_: Json, __: Json) -> None:
        system.set_env(first, str(tries))
        system.set_env(second, str(wait))

    system.roll(change)
    system.replace_all()
    return Incident(
        system,
        types=(
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
        terse=("{name} [retries nonstop|retry storm|floods {other}]",),
        astray=(
            ("overload", "{other} [is too small|needs replicas] for {name}."),
            ("network-loss", "[Calls|Answers] between {name} and {other} get lost."),
        ),
        clues=(
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                "[attempt {tries} of {tries}|giving up on {other} after {tries} tries]",
            ),
            Clue("Metric", "mesh", "{name} -> {other} [rps x{tries}|{tries} calls per request]"),
        ),
        felt=draw.one(("errors", "slow")),
        repairs=(BACK,),
        useless=(RESTART, SCALE, MORE_RESOURCES),
        hidden=Hidden(rules=(rule(is_one_of(first, str(tries)), error_percent=70),)),
        values={"tries": tries, "wait": wait, "other": called[0].name, "pod": system.pods[0].name},
    )


FAULTS: dict[str, Maker] = {
    "bad-version": bad_version,
    "slow-version": slow_version,
    "returning-stress": returning_stress,
    "wrong-dependency": wrong_dependency,
    "retry-storm": retry_storm,
}
