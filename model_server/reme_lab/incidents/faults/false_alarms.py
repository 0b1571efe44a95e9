"""Reports about systems in which nothing is wrong, or not in the one that they name."""

from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, Repair, expect
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


_ALARMS: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    (
        "cpu-stress",
        (
            "{name} [is|was] [overloaded|at its CPU limit|pinned|saturated].",
            "CPU of {name} [spiked|is critical|is above normal][, act now|].",
        ),
        ("{name} [cpu|hot]",),
    ),
    (
        "high-cpu",
        ("{container} [burns|used] {share}% CPU.", "[Load|CPU load] alarm for {name}."),
        ("[cpu alarm|high cpu]: {name}",),
    ),
    (
        "memory-stress",
        (
            "{name} [runs|is running] out of memory.",
            "Memory [leak|exhaustion] [suspected|likely] in {name}.",
        ),
        ("{name} [memory|mem alarm]",),
    ),
    (
        "oom",
        (
            "{name} [was|gets] killed for memory [again and again|repeatedly|].",
            "{name} needs a [higher|bigger] memory limit.",
        ),
        ("{name} OOM",),
    ),
    (
        "pod-fail",
        (
            "[A|One] [pod|replica] of {name} [is down|failed|crashed].",
            "{name} [lost|misses] an instance.",
        ),
        ("{name} [pod down|instance lost]",),
    ),
    ("crash-loop", ("{name} [crashes|restarts] [nonstop|all the time].",), ("{name} crash loop",)),
    (
        "bad-rollout",
        (
            "The [last|newest] [release|version|build] of {name} [is broken|fails|must be undone].",
            "[Errors|5xx] of {name} [rose|went up] [with|after] its [release|upgrade].",
        ),
        ("{name} [bad release|errors since deploy]",),
    ),
    (
        "image-pull-error",
        ("The image of {name} cannot be [pulled|fetched].",),
        ("{name} no image",),
    ),
    (
        "network-policy",
        ("A policy [blocks|denies] [all|] traffic to {name}.",),
        ("{name} blocked",),
    ),
    (
        "no-endpoints",
        ("Service {name} has no [endpoints|backends|pods].",),
        ("{name} [endpoints 0|no backends]",),
    ),
    ("wrong-port", ("Service {name} [leads|points] to a wrong port.",), ("{name} wrong port",)),
    ("no-replicas", ("{name} is scaled to [zero|nothing].",), ("{name} gone",)),
    ("unschedulable", ("Pods of {name} [are pending|find no node].",), ("{name} pending",)),
    (
        "readiness-probe",
        ("{name} [fails|misses] its readiness [checks|probe].",),
        ("{name} unready",),
    ),
    (
        "cpu-throttling",
        ("{name} is throttled[; lift its limit| most of the time|].",),
        ("{name} throttled",),
    ),
    (
        "overload",
        ("{name} [cannot keep up|drowns|is swamped][; double its replicas|].",),
        ("{name} overloaded",),
    ),
    (
        "bad-configuration",
        ("{name} has a [wrong|broken] [setting|configuration].",),
        ("{name} misconfigured",),
    ),
    (
        "dependency-down",
        ("[A backend|Something] {name} needs is [down|away].",),
        ("{name} dependency",),
    ),
    (
        "quota-exceeded",
        ("The quota of {ns} is [full|used up]; {name} lacks pods.",),
        ("{ns} quota",),
    ),
    ("paused-rollout", ("The rollout of {name} is [paused|on hold].",), ("{name} paused",)),
    ("hang", ("{name} [hangs|froze]; [restart|bounce] it.",), ("{name} hangs",)),
    (
        "memory-growth",
        ("Memory of {name} [creeps up|has grown] since its last [release|deploy].",),
        ("{name} mem up",),
    ),
    (
        "high-latency",
        ("{name} [is|was] [the slowest hop|slower than its objective|above its latency target].",),
        ("{name} [slow|latency]",),
    ),
    ("disk-io", ("[Disk|Storage] of {name} [may be|seems] slow.",), ("{name} disk",)),
    (
        "network-loss",
        ("[A few|Some|Single] [packets|requests] to {name} [were|got] lost.",),
        ("{name} loss",),
    ),
    (
        "network-delay",
        ("[The network near|Traffic of] {name} [may be|seemed] slow.",),
        ("{name} rtt",),
    ),
)


CALM_EVIDENCE: Sequence[EvidenceText] = (
    EvidenceText("Metric", "gateway", "success rate [100%|99.9%|99.98%] of {name}"),
    EvidenceText("Metric", "gateway", "p95 of {name} {quick} ms[, objective 300|]"),
    EvidenceText("Metric", "Pod/{pod}/{container}", "cpu {low}%, memory {low2}%"),
    EvidenceText("Log", "Pod/{pod}/{container}", "[handled|served] {quick} requests[, no errors|]"),
    EvidenceText(
        "Event", "Pod/{pod}", "[Normal|Info]: [Started|Pulled|Created] container {container}"
    ),
    EvidenceText("Text", "Pod/{pod}", "[Running, ready|all checks pass|healthy for 3 days]"),
)


STALE_EVIDENCE: Sequence[EvidenceText] = (
    EvidenceText(
        "Metric",
        "prometheus",
        "[peak|spike] [{minutes} min|an hour|yesterday] ago: [cpu|load] {share}%, now {low}%",
    ),
    EvidenceText("Event", "Pod/{pod}", "[resolved|recovered] [{minutes} min ago|by itself]"),
    EvidenceText(
        "Log",
        "Pod/{pod}/{container}",
        "[WARN|ERROR] [timeout|retry] [once|at 03:12], [recovered|ok since]",
    ),
)


def false_alarm(rng: Rng, system: System) -> BrokenSystem:
    """Everything is as it should be, whatever the report says."""
    type_, summaries, terse = rng.choice(_ALARMS)
    return _calm(rng, system, (type_,), summaries, terse, rng.sample(CALM_EVIDENCE, 3))


def self_healed(rng: Rng, system: System) -> BrokenSystem:
    """Something was wrong and is over."""
    type_, _, terse = rng.choice(_ALARMS)
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
    """A threshold is so tight that it complains about nothing."""
    if rng.chance(50):
        type_, says, most = (
            "high-latency",
            "{name} [answers|responds] [later|slower] than [wanted|its target|1 ms].",
            {},
        )
    elif rng.chance(50):
        type_, says, most = (
            "memory-growth",
            "{name} [uses|holds] more memory than [its baseline|usual|last week].",
            {"memory": rng.integer(2, 8)},
        )
    else:
        type_, says, most = (
            "cpu-above-baseline",
            "{name} [uses|takes] more CPU than [its baseline|usual].",
            {"cpu": rng.integer(1, 5)},
        )
    found = _calm(
        rng,
        system,
        (type_,),
        (says,),
        ("{name} above [target|baseline]",),
        rng.sample(CALM_EVIDENCE, 2),
    )
    found.usage_thresholds = most
    found.user_impact = "quick" if not most else ""
    return found


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
    """The fault is in another workload, as each report says: else a rollback were worth a try."""
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
    """Users feel a fault, at another service than the one that is blamed and is healthy."""
    if not system.neighbours:
        return None
    other = rng.choice(system.neighbours)
    type_, summaries, terse = rng.choice(_ALARMS)
    found = _calm(rng, system, (type_,), summaries, terse, rng.sample(CALM_EVIDENCE, 2))
    found.abstain = Abstain.ELSEWHERE
    found.probed_service, found.probed_port = other.name, other.port
    found.user_impact = rng.choice(("errors", "slow", "silent", "refused"))
    callers = [n for n in system.neighbours if n is not other]
    if callers and rng.chance(40):  # who calls the broken one fails as well
        caller = rng.choice(callers)
        found.also_probed = ((caller.name, caller.port),)
    return found


def unclear(rng: Rng, system: System) -> BrokenSystem:
    """Too little is said, and nothing is seen."""
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
