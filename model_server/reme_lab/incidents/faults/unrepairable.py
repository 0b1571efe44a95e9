"""Faults that no action repairs; they need a person."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, FaultEffects, expect
from reme_lab.incidents.faults.common import add_probe_timeout_event
from reme_lab.incidents.faults.config_maps import ensure_config
from reme_lab.incidents.faults.false_alarms import USELESS_REPAIRS
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_lab.simulator import RecurringStress, Stress, is_one_of, rule
from reme_model.prompt.schema import Abstain
from reme_playbook.actions.delete_pod import DeletePod


def lost_credential(rng: Rng, system: System) -> BrokenSystem:
    """A key was removed from a Secret, and its value is unknown."""
    secret, key = (
        f"{system.name}-{rng.choice(('creds', 'auth', 'keys', 'access'))}",
        rng.parameter(("apikey", "dsn", "pin", "license", "client-id", "login", "cert", "seed")),
    )
    entry = {
        "name": f"{names.word(rng, 2).upper()}_REF",
        "valueFrom": {"secretKeyRef": {"name": secret, "key": key}},
    }
    for template in [system.template, *(t for t, _ in system.earlier_templates)]:
        template["spec"]["containers"][0]["env"].append(copy.deepcopy(entry))
    system.original = copy.deepcopy(system.template)
    message = rng.choice(
        (
            f"couldn't find key {key} in Secret {system.namespace}/{secret}",
            f'secret "{secret}" not found',
        )
    )
    system.replace_all(
        ready=False,
        phase="Pending",
        state={"state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}}},
    )
    return BrokenSystem(
        system,
        fault_types=(
            "lost-credential",
            "missing-secret",
            "secret-key-missing",
            "config-error",
            "credential-gone",
        ),
        summaries=(
            "{name} [needs|wants] {key} of Secret {secret}, [which is gone|somebody removed it].",
            "[No pod|Nothing] of {name} starts: Secret {secret} [lacks|lost] {key}.",
        ),
        terse_summaries=("{name} [secret missing|no credentials]",),
        wrong_diagnoses=(
            ("image-pull-error", "{name} has no image."),
            ("bad-rollout", "{name} was released badly."),
        ),
        evidence=(EvidenceText("Event", "Pod/{pod}", "Failed: {message}"),),
        user_impact="refused",
        abstain=Abstain.NO_ACTION,
        useless_repairs=USELESS_REPAIRS,
        effects=FaultEffects(missing_secret_keys=((secret, key),)),
        text_values={"secret": secret, "key": key, "message": message, "pod": system.pods[0].name},
    )


def lost_setting(rng: Rng, system: System) -> BrokenSystem:
    """A key was removed from the ConfigMap, and its value is unknown."""
    key = ensure_config(rng, system)
    system.config.pop(key)
    system.has_last_applied = False
    message = f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}"
    if system.config_from_env:
        ended = {"terminated": {"reason": "Error", "exitCode": 1}}
        state = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended}
        system.replace_all(ready=False, restarts=rng.integer(2, 15), state=state)
    else:
        waiting = {"reason": "CreateContainerConfigError", "message": message}
        system.replace_all(ready=False, phase="Pending", state={"state": {"waiting": waiting}})
    return BrokenSystem(
        system,
        fault_types=("lost-setting", "config-error", "missing-setting", "config-key-removed"),
        summaries=(
            "{config} [lacks|lost] {key}[, nobody knows what it was|]; {name} does not start.",
            (
                "[Somebody|Someone] [deleted|removed] {key} from {config}, [no copy is "
                "left|its value is lost]."
            ),
        ),
        terse_summaries=("{name} [setting lost|not starting]",),
        evidence=(
            EvidenceText(
                "Log", "Pod/{pod}/{container}", "[setting|key] {key} [is missing|not found]"
            ),
        ),
        user_impact="refused",
        abstain=Abstain.NO_ACTION,
        useless_repairs=USELESS_REPAIRS,
        effects=FaultEffects(rules=(rule(is_one_of(key, None), exit_code=1),)),
        text_values={"key": key, "config": system.config_name, "pod": system.pods[0].name},
    )


def renumbered_port(rng: Rng, system: System) -> BrokenSystem:
    """The port that callers use was removed from the Service."""
    old = system.service_port
    new = old + rng.parameter((1000, 2000, 7, 100, 11, 300, 5000, 10000))
    system.service["ports"][0]["port"] = new
    system.has_last_applied = False
    return BrokenSystem(
        system,
        fault_types=(
            "renumbered-service-port",
            "wrong-port",
            "service-port-changed",
            "connection-timeout",
        ),
        summaries=(
            (
                "Service {name} [offers|has] port {new} [now|instead of {old}]; "
                "[callers|clients] [still use|ask for] {old}."
            ),
            "[Nobody|No client] can [connect|talk] to {name}:{old}.",
        ),
        terse_summaries=("{name}:{old} [closed|timeouts]",),
        wrong_diagnoses=(
            ("hang", "{name} hangs; bounce it."),
            ("network-policy", "{name} is blocked."),
        ),
        evidence=(EvidenceText("Log", "client", "connect {name}:{old}: timeout"),),
        user_impact="silent",
        abstain=Abstain.NO_ACTION,
        useless_repairs=USELESS_REPAIRS,
        text_values={"old": old, "new": new},
        missing_port=old,
    )


def dying_disk(rng: Rng, system: System) -> BrokenSystem:
    """The disk is slow or fails for every pod on it."""
    wait = rng.parameter((500, 800, 1000, 1600, 2400, 3000))
    stalled = rng.chance(40)
    if stalled:
        for pod in system.pods:
            pod.ready = False
        add_probe_timeout_event(rng, system, rng.integer(3, 60))
    return BrokenSystem(
        system,
        fault_types=(
            "dying-disk",
            "disk-failure",
            "disk-hardware",
            "failing-disk",
            "bad-disk",
            "smart-failure",
        ),
        summaries=(
            (
                "[The disk|The drive|The volume's disk] of the node [fails|is dying|reports "
                "I/O errors]; {name} [has no other|cannot go elsewhere]."
            ),
            (
                "[Hardware|SMART] [errors|alarms] on the [only|one] disk [under|of] {name}: "
                "writes [take|need] {wait} ms."
            ),
        ),
        terse_summaries=("{name} [disk errors|disk dying|I/O errors]",),
        evidence=(
            EvidenceText(
                "Log", "kernel", "[blk_update_request|ata1|nvme0]: I/O error, [sector|dev] {sector}"
            ),
            EvidenceText("Metric", "smartd", "[reallocated|pending] sectors {sector}"),
        ),
        user_impact=rng.choice(("refused", "silent")) if stalled else "slow",
        abstain=Abstain.NO_ACTION,
        useless_repairs=(*USELESS_REPAIRS, (expect(DeletePod, system.pods[0].name),)),
        effects=FaultEffects(
            recurring_stress=(RecurringStress(Stress(disk=True, failed=stalled)),),
            default_behaviour={"writes_disk": True},
        ),
        text_values={"wait": wait, "sector": rng.integer(100, 99999)},
    )


def full_cluster(rng: Rng, system: System) -> BrokenSystem:
    """No node has room, and no setting excludes a node."""
    total, resource = rng.integer(1, 8), rng.choice(("memory", "cpu"))
    why = f"0/{total} nodes are available: {total} Insufficient {resource}."
    lost = system.pods[-1]
    system.pods[-1] = system.new_pod(ready=False, phase="Pending", state={}, unscheduled=why)
    if system.kind == "StatefulSet":
        system.pods[-1].name = lost.name
    system.add_event("FailedScheduling", why, rng.integer(2, 30))
    system.node_labels = frozenset({("kubernetes.io/os", "linux")})
    system.earlier_templates = []
    return BrokenSystem(
        system,
        fault_types=(
            "node-pressure",
            "cluster-full",
            "insufficient-capacity",
            "unschedulable",
            "pending-pod",
        ),
        summaries=(
            "[All nodes are|The cluster is] [full|out of {what}]; a pod of {name} waits.",
            (
                "{pod} [waits|is pending]: [a node is missing|capacity is used up|more nodes "
                "are needed]."
            ),
        ),
        terse_summaries=("{name} [pending|no capacity]",),
        evidence=(
            EvidenceText("Event", "Pod/{pod}", "FailedScheduling: Insufficient {what}"),
            EvidenceText("Metric", "nodes", "allocatable {what} left 0"),
        ),
        abstain=Abstain.NO_ACTION,
        useless_repairs=USELESS_REPAIRS,
        text_values={"what": resource, "pod": system.pods[-1].name},
    )


def lost_image(rng: Rng, system: System) -> BrokenSystem:
    """The image cannot be pulled, and there is no earlier one."""
    system.earlier_templates, image = [], system.main_container["image"]
    reason = rng.choice(
        (
            "unauthorized",
            "registry unreachable",
            "x509: certificate has expired",
            "no such host",
            "toomanyrequests",
        )
    )
    system.replace_all(
        ready=False,
        phase="Pending",
        state={
            "state": {
                "waiting": {
                    "reason": "ImagePullBackOff",
                    "message": f"Back-off pulling image '{image}': {reason}",
                }
            }
        },
    )
    system.add_event("Failed", f"Failed to pull image '{image}': {reason}", rng.integer(2, 40))
    return BrokenSystem(
        system,
        fault_types=("registry-down", "image-pull-error", "registry-unauthorized", "pull-failure"),
        summaries=(
            (
                "[The registry|The image store] [is down|rejects us|has expired "
                "certificates]; {name} [has no image|cannot start]."
            ),
        ),
        terse_summaries=("{name} [pull fails|registry error]",),
        evidence=(EvidenceText("Event", "Pod/{pod}", "Failed to pull: {said}"),),
        user_impact="refused",
        abstain=Abstain.NO_ACTION,
        useless_repairs=USELESS_REPAIRS,
        text_values={"said": reason, "pod": system.pods[0].name},
    )
