"""Reports about systems in which nothing is wrong, or not in the one that they name."""

from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Incident, Repair, wish
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import System
from reme_model.prompt.schema import Abstain
from reme_playbook.actions.registry import Restart, Rollback, Scale, SetResources

USELESS: Sequence[Repair] = (
    (wish(Restart),),
    (wish(Scale),),
    (wish(Rollback),),
    (wish(SetResources),),
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


CALM: Sequence[Clue] = (
    Clue("Metric", "gateway", "success rate [100%|99.9%|99.98%] of {name}"),
    Clue("Metric", "gateway", "p95 of {name} {quick} ms[, objective 300|]"),
    Clue("Metric", "Pod/{pod}/{container}", "cpu {low}%, memory {low2}%"),
    Clue("Log", "Pod/{pod}/{container}", "[handled|served] {quick} requests[, no errors|]"),
    Clue("Event", "Pod/{pod}", "[Normal|Info]: [Started|Pulled|Created] container {container}"),
    Clue("Text", "Pod/{pod}", "[Running, ready|all checks pass|healthy for 3 days]"),
)


STALE: Sequence[Clue] = (
    Clue(
        "Metric",
        "prometheus",
        "[peak|spike] [{minutes} min|an hour|yesterday] ago: [cpu|load] {share}%, now {low}%",
    ),
    Clue("Event", "Pod/{pod}", "[resolved|recovered] [{minutes} min ago|by itself]"),
    Clue(
        "Log",
        "Pod/{pod}/{container}",
        "[WARN|ERROR] [timeout|retry] [once|at 03:12], [recovered|ok since]",
    ),
)


def false_alarm(draw: Draw, system: System) -> Incident:
    """Everything is as it should be, whatever the report says."""
    type_, summaries, terse = draw.one(_ALARMS)
    return _calm(draw, system, (type_,), summaries, terse, draw.some(CALM, 3))


def self_healed(draw: Draw, system: System) -> Incident:
    """Something was wrong and is over."""
    type_, _, terse = draw.one(_ALARMS)
    if draw.chance(40):
        pod = draw.one(system.pods)
        pod.restarts = draw.number(1, 2)
        pod.state = {
            "state": {"running": {}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
        }
    return _calm(
        draw,
        system,
        (type_,),
        (
            "{name} [had|saw] a [short|brief] [hiccup|glitch|peak] of {type}[, it is over|].",
            "[Alert|Alarm] {type} on {name} [fired|came up] {minutes} min ago.",
            "{name} [was unwell|had trouble] [for a minute|for half a minute|briefly].",
        ),
        terse,
        [*draw.some(STALE, 2), *draw.some(CALM, 1)],
    )


def tight_alarm(draw: Draw, system: System) -> Incident:
    """A threshold is so tight that it complains about nothing."""
    if draw.chance(50):
        type_, says, most = (
            "high-latency",
            "{name} [answers|responds] [later|slower] than [wanted|its target|1 ms].",
            {},
        )
    elif draw.chance(50):
        type_, says, most = (
            "memory-growth",
            "{name} [uses|holds] more memory than [its baseline|usual|last week].",
            {"memory": draw.number(2, 8)},
        )
    else:
        type_, says, most = (
            "cpu-above-baseline",
            "{name} [uses|takes] more CPU than [its baseline|usual].",
            {"cpu": draw.number(1, 5)},
        )
    found = _calm(
        draw, system, (type_,), (says,), ("{name} above [target|baseline]",), draw.some(CALM, 2)
    )
    found.most_percent = most
    found.felt = "quick" if not most else ""
    return found


def _calm(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    clues: Sequence[Clue],
) -> Incident:
    return Incident(
        system,
        types=types,
        summaries=summaries,
        terse=terse,
        clues=clues,
        abstain=Abstain.HEALTHY,
        useless=USELESS,
        values={
            "pod": system.pods[0].name,
            "share": draw.number(80, 100),
            "quick": draw.number(3, 60),
            "low": max(1, system.cpu_percent),
            "low2": system.memory_percent,
            "minutes": draw.number(5, 90),
            "type": types[0],
        },
    )


def blamed_for_another(draw: Draw, system: System) -> Incident:
    """The fault is in another workload, as each report says: else a rollback were worth a try."""
    broken = draw.one(system.neighbours) if system.neighbours else None
    other = broken.name if broken else names.workload_beside(draw, (system.name,))
    elsewhere = names.workload_beside(draw, (system.name, other))
    cause = draw.one(
        (
            "[pods of {other} are|{other} is] [in CrashLoopBackOff|OOMKilled|not ready]",
            "{other} [uses 100% of its CPU|is scaled to 0|has no ready pod]",
            "{other} [cannot pull its image|fails its readiness probe]",
            "[node|the node] of {other} [is down|lost its network]",
            "external [provider|API|service] {else}.example [is down|returns 503|refuses calls]",
            "[payment|mail|map|identity] provider {else} [has an outage|answers 503]",
        )
    )
    return Incident(
        system,
        types=(
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
        terse=("{name} [502|errors|slow], " + cause, "{name} [fails|errors]: " + cause),
        clues=(
            Clue("Text", "Deployment/{other}", cause),
            Clue("Log", "Pod/{pod}/{container}", "[upstream|call] failed: " + cause),
            *draw.some(CALM, 1),
        ),
        felt=draw.one(("errors", "slow", "")),
        also_asked=((broken.name, broken.port),) if broken and draw.chance(25) else (),
        abstain=Abstain.ELSEWHERE,
        useless=USELESS,
        values={
            "other": other,
            "else": elsewhere,
            "pod": system.pods[0].name,
            "quick": draw.number(4, 50),
            "low": system.cpu_percent,
            "low2": system.memory_percent,
        },
    )


def wrong_target(draw: Draw, system: System) -> Incident | None:
    """Users feel a fault, at another service than the one that is blamed and is healthy."""
    if not system.neighbours:
        return None
    other = draw.one(system.neighbours)
    type_, summaries, terse = draw.one(_ALARMS)
    found = _calm(draw, system, (type_,), summaries, terse, draw.some(CALM, 2))
    found.abstain = Abstain.ELSEWHERE
    found.asked, found.asked_port = other.name, other.port
    found.felt = draw.one(("errors", "slow", "silent", "refused"))
    callers = [n for n in system.neighbours if n is not other]
    if callers and draw.chance(40):  # who calls the broken one fails as well
        caller = draw.one(callers)
        found.also_asked = ((caller.name, caller.port),)
    return found


def unclear(draw: Draw, system: System) -> Incident:
    """Too little is said, and nothing is seen."""
    return Incident(
        system,
        types=(
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
        terse=("{name} [anomaly|degraded|?]",),
        clues=draw.some(CALM, 1),
        felt="errors" if not system.earlier and draw.chance(60) else "",
        abstain=Abstain.UNCLEAR,
        useless=USELESS,
        values={
            "score": draw.number(51, 98),
            "pod": system.pods[0].name,
            "quick": draw.number(4, 50),
            "low": system.cpu_percent,
            "low2": system.memory_percent,
        },
    )
