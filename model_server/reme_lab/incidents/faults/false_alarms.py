"""Reports about a healthy system, or about the wrong workload."""

from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, Repair, expect
from reme_lab.incidents.faults.alarms import ALARMS, CALM_EVIDENCE, STALE_EVIDENCE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_model.prompt.schema import Abstain
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale

USELESS_REPAIRS: Sequence[Repair] = (
    (expect(Restart),),
    (expect(Scale),),
    (expect(Rollback),),
    (expect(SetResources),),
)


def false_alarm(rng: Rng, system: System) -> BrokenSystem:
    """The system is healthy, whatever the report says."""
    type_, summaries, terse = rng.choice(ALARMS)
    return _calm(rng, system, (type_,), summaries, terse, rng.sample(CALM_EVIDENCE, 3))


def self_healed(rng: Rng, system: System) -> BrokenSystem:
    """A fault is over."""
    type_, _, terse = rng.choice(ALARMS)
    if rng.chance(40):
        pod = rng.choice(system.pods)
        pod.restarts = rng.integer(1, 2)
        pod.state = {
            "state": {"running": {}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
        }
    return _calm(
        rng,
        system,
        (type_,),
        (
            "{name} [had|saw] a [short|brief] [hiccup|glitch|peak] of {type}[, it is over|].",
            "[Alert|Alarm] {type} on {name} [fired|came up] {minutes} min ago.",
            "{name} [was unwell|had trouble] [for a minute|for half a minute|briefly].",
        ),
        terse,
        [*rng.sample(STALE_EVIDENCE, 2), *rng.sample(CALM_EVIDENCE, 1)],
    )


def tight_alarm(rng: Rng, system: System) -> BrokenSystem:
    """A threshold is so tight that a healthy system exceeds it."""
    if rng.chance(50):
        type_, summary, thresholds = (
            "high-latency",
            "{name} [answers|responds] [later|slower] than [wanted|its target|1 ms].",
            {},
        )
    elif rng.chance(50):
        type_, summary, thresholds = (
            "memory-growth",
            "{name} [uses|holds] more memory than [its baseline|usual|last week].",
            {"memory": rng.integer(2, 8)},
        )
    else:
        type_, summary, thresholds = (
            "cpu-above-baseline",
            "{name} [uses|takes] more CPU than [its baseline|usual].",
            {"cpu": rng.integer(1, 5)},
        )
    broken = _calm(
        rng,
        system,
        (type_,),
        (summary,),
        ("{name} above [target|baseline]",),
        rng.sample(CALM_EVIDENCE, 2),
    )
    broken.usage_thresholds = thresholds
    broken.user_impact = "quick" if not thresholds else ""
    return broken


def _calm(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    clues: Sequence[EvidenceText],
) -> BrokenSystem:
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=summaries,
        terse_summaries=terse,
        evidence=clues,
        abstain=Abstain.HEALTHY,
        useless_repairs=USELESS_REPAIRS,
        text_values={
            "pod": system.pods[0].name,
            "share": rng.integer(80, 100),
            "quick": rng.integer(3, 60),
            "low": max(1, system.cpu_percent),
            "low2": system.memory_percent,
            "minutes": rng.integer(5, 90),
            "type": types[0],
        },
    )


def blamed_for_another(rng: Rng, system: System) -> BrokenSystem:
    """The fault is in another workload, as each report says; otherwise a rollback might help."""
    broken = rng.choice(system.neighbours) if system.neighbours else None
    other = broken.name if broken else names.other_workload(rng, (system.name,))
    elsewhere = names.other_workload(rng, (system.name, other))
    cause = rng.choice(
        (
            "[pods of {other} are|{other} is] [in CrashLoopBackOff|OOMKilled|not ready]",
            "{other} [uses 100% of its CPU|is scaled to 0|has no ready pod]",
            "{other} [cannot pull its image|fails its readiness probe]",
            "[node|the node] of {other} [is down|lost its network]",
            "external [provider|API|service] {else}.example [is down|returns 503|refuses calls]",
            "[payment|mail|map|identity] provider {else} [has an outage|answers 503]",
        )
    )
    return BrokenSystem(
        system,
        fault_types=(
            "http-errors",
            "bad-gateway",
            "errors",
            "high-latency",
            "dependency-errors",
            "wrong-target",
            "slow",
        ),
        summaries=(
            "{name} [passes on|returns] errors; " + cause + ".",
            "[Users|Callers] of {name} see [errors|timeouts]: " + cause + ".",
            "{name} [is affected|suffers]: " + cause + ".",
        ),
        terse_summaries=("{name} [502|errors|slow], " + cause, "{name} [fails|errors]: " + cause),
        evidence=(
            EvidenceText("Text", "Deployment/{other}", cause),
            EvidenceText("Log", "Pod/{pod}/{container}", "[upstream|call] failed: " + cause),
            *rng.sample(CALM_EVIDENCE, 1),
        ),
        user_impact=rng.choice(("errors", "slow", "")),
        also_probed=((broken.name, broken.port),) if broken and rng.chance(25) else (),
        abstain=Abstain.ELSEWHERE,
        useless_repairs=USELESS_REPAIRS,
        text_values={
            "other": other,
            "else": elsewhere,
            "pod": system.pods[0].name,
            "quick": rng.integer(4, 50),
            "low": system.cpu_percent,
            "low2": system.memory_percent,
        },
    )


def wrong_target(rng: Rng, system: System) -> BrokenSystem | None:
    """Users have a problem with another Service than the blamed one, which is healthy."""
    if not system.neighbours:
        return None
    other = rng.choice(system.neighbours)
    type_, summaries, terse = rng.choice(ALARMS)
    broken = _calm(rng, system, (type_,), summaries, terse, rng.sample(CALM_EVIDENCE, 2))
    broken.abstain = Abstain.ELSEWHERE
    broken.probed_service, broken.probed_port = other.name, other.port
    broken.user_impact = rng.choice(("errors", "slow", "silent", "refused"))
    callers = [n for n in system.neighbours if n is not other]
    if callers and rng.chance(40):  # the caller of the broken workload fails as well
        caller = rng.choice(callers)
        broken.also_probed = ((caller.name, caller.port),)
    return broken


def unclear(rng: Rng, system: System) -> BrokenSystem:
    """The report says too little, and nothing abnormal is visible."""
    return BrokenSystem(
        system,
        fault_types=(
            "anomaly",
            "degraded",
            "unknown",
            "alert",
            "incident",
            "something-wrong",
            "health-check",
            "unusual-behaviour",
        ),
        summaries=(
            "[Something|Anything] [is odd|is off|might be wrong] [with|around] {name}.",
            (
                "[An anomaly|A deviation|Unusual behaviour] [was|has been] "
                "[detected|reported] [near|in] {name}[, score 0.{score}|]."
            ),
            (
                "[Users|People|Customers] [complain|are unhappy][ about {name}|], [cause "
                "unknown|no details]."
            ),
        ),
        terse_summaries=("{name} [anomaly|degraded|?]",),
        evidence=rng.sample(CALM_EVIDENCE, 1),
        user_impact="errors" if not system.earlier_templates and rng.chance(60) else "",
        abstain=Abstain.UNCLEAR,
        useless_repairs=USELESS_REPAIRS,
        text_values={
            "score": rng.integer(51, 98),
            "pod": system.pods[0].name,
            "quick": rng.integer(4, 50),
            "low": system.cpu_percent,
            "low2": system.memory_percent,
        },
    )
