"""Texts of alarms about healthy systems, and the evidence of health."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import EvidenceText

ALARMS: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
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
