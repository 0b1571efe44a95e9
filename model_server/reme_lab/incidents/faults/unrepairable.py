"""Faults that no possible action repairs: a person has to."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, wish
from reme_lab.incidents.faults.common import late_probe
from reme_lab.incidents.faults.config_maps import give_config
from reme_lab.incidents.faults.false_alarms import USELESS
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import System
from reme_lab.simulator import RecurringStress, Stress, is_one_of, rule
from reme_model.prompt.schema import Abstain
from reme_playbook.actions.registry import DeletePod


def lost_credential(draw: Draw, system: System) -> Incident:
    """A key is gone from a Secret, and nobody in the cluster knows what it held."""
    secret, key = (
        f"{system.name}-{draw.one(('creds', 'auth', 'keys', 'access'))}",
        draw.parameter(("apikey", "dsn", "pin", "license", "client-id", "login", "cert", "seed")),
    )
    entry = {
        "name": f"{names.word(draw, 2).upper()}_REF",
        "valueFrom": {"secretKeyRef": {"name": secret, "key": key}},
    }
    for template in [system.template, *(t for t, _ in system.earlier)]:
        template["spec"]["containers"][0]["env"].append(copy.deepcopy(entry))
    system.original = copy.deepcopy(system.template)
    message = draw.one(
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
    return Incident(
        system,
        types=(
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
        terse=("{name} [secret missing|no credentials]",),
        astray=(
            ("image-pull-error", "{name} has no image."),
            ("bad-rollout", "{name} was released badly."),
        ),
        clues=(Clue("Event", "Pod/{pod}", "Failed: {message}"),),
        felt="refused",
        abstain=Abstain.NO_ACTION,
        useless=USELESS,
        hidden=Hidden(lost_secrets=((secret, key),)),
        values={"secret": secret, "key": key, "message": message, "pod": system.pods[0].name},
    )


def lost_setting(draw: Draw, system: System) -> Incident:
    """A key is gone from the ConfigMap, and nobody in the cluster knows what it was."""
    key = give_config(draw, system)
    system.config.pop(key)
    system.applied = False
    message = f"couldn't find key {key} in ConfigMap {system.namespace}/{system.config_name}"
    if system.config_from_env:
        ended = {"terminated": {"reason": "Error", "exitCode": 1}}
        state = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended}
        system.replace_all(ready=False, restarts=draw.number(2, 15), state=state)
    else:
        waiting = {"reason": "CreateContainerConfigError", "message": message}
        system.replace_all(ready=False, phase="Pending", state={"state": {"waiting": waiting}})
    return Incident(
        system,
        types=("lost-setting", "config-error", "missing-setting", "config-key-removed"),
        summaries=(
            "{config} [lacks|lost] {key}[, nobody knows what it was|]; {name} does not start.",
            (
                "[Somebody|Someone] [deleted|removed] {key} from {config}, [no copy is "
                "left|its value is lost]."
            ),
        ),
        terse=("{name} [setting lost|not starting]",),
        clues=(Clue("Log", "Pod/{pod}/{container}", "[setting|key] {key} [is missing|not found]"),),
        felt="refused",
        abstain=Abstain.NO_ACTION,
        useless=USELESS,
        hidden=Hidden(rules=(rule(is_one_of(key, None), exit_code=1),)),
        values={"key": key, "config": system.config_name, "pod": system.pods[0].name},
    )


def renumbered_port(draw: Draw, system: System) -> Incident:
    """The port that callers use is gone from the Service."""
    old = system.service_port
    new = old + draw.parameter((1000, 2000, 7, 100, 11, 300, 5000, 10000))
    system.service["ports"][0]["port"] = new
    system.applied = False
    return Incident(
        system,
        types=(
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
        terse=("{name}:{old} [closed|timeouts]",),
        astray=(("hang", "{name} hangs; bounce it."), ("network-policy", "{name} is blocked.")),
        clues=(Clue("Log", "client", "connect {name}:{old}: timeout"),),
        felt="silent",
        abstain=Abstain.NO_ACTION,
        useless=USELESS,
        values={"old": old, "new": new},
        missing_port=old,
    )


def dying_disk(draw: Draw, system: System) -> Incident:
    """The disk itself is slow or fails, for every pod that is put there."""
    wait = draw.parameter((500, 800, 1000, 1600, 2400, 3000))
    stalled = draw.chance(40)
    if stalled:
        for pod in system.pods:
            pod.ready = False
        late_probe(draw, system, draw.number(3, 60))
    return Incident(
        system,
        types=(
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
        terse=("{name} [disk errors|disk dying|I/O errors]",),
        clues=(
            Clue(
                "Log", "kernel", "[blk_update_request|ata1|nvme0]: I/O error, [sector|dev] {sector}"
            ),
            Clue("Metric", "smartd", "[reallocated|pending] sectors {sector}"),
        ),
        felt=draw.one(("refused", "silent")) if stalled else "slow",
        abstain=Abstain.NO_ACTION,
        useless=(*USELESS, (wish(DeletePod, system.pods[0].name),)),
        hidden=Hidden(
            recurring_stress=(RecurringStress(Stress(disk=True, failed=stalled)),),
            usual={"writes_disk": True},
        ),
        values={"wait": wait, "sector": draw.number(100, 99999)},
    )


def full_cluster(draw: Draw, system: System) -> Incident:
    """No node has room, and none of them is kept away by a setting."""
    total, what = draw.number(1, 8), draw.one(("memory", "cpu"))
    why = f"0/{total} nodes are available: {total} Insufficient {what}."
    lost = system.pods[-1]
    system.pods[-1] = system.pod(ready=False, phase="Pending", state={}, unscheduled=why)
    if system.kind == "StatefulSet":
        system.pods[-1].name = lost.name
    system.event("FailedScheduling", why, draw.number(2, 30))
    system.node_labels = frozenset({("kubernetes.io/os", "linux")})
    system.earlier = []
    return Incident(
        system,
        types=(
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
        terse=("{name} [pending|no capacity]",),
        clues=(
            Clue("Event", "Pod/{pod}", "FailedScheduling: Insufficient {what}"),
            Clue("Metric", "nodes", "allocatable {what} left 0"),
        ),
        abstain=Abstain.NO_ACTION,
        useless=USELESS,
        values={"what": what, "pod": system.pods[-1].name},
    )


def lost_image(draw: Draw, system: System) -> Incident:
    """The image cannot be pulled, and no other was ever used."""
    system.earlier, image = [], system.main["image"]
    said = draw.one(
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
                    "message": f"Back-off pulling image '{image}': {said}",
                }
            }
        },
    )
    system.event("Failed", f"Failed to pull image '{image}': {said}", draw.number(2, 40))
    return Incident(
        system,
        types=("registry-down", "image-pull-error", "registry-unauthorized", "pull-failure"),
        summaries=(
            (
                "[The registry|The image store] [is down|rejects us|has expired "
                "certificates]; {name} [has no image|cannot start]."
            ),
        ),
        terse=("{name} [pull fails|registry error]",),
        clues=(Clue("Event", "Pod/{pod}", "Failed to pull: {said}"),),
        felt="refused",
        abstain=Abstain.NO_ACTION,
        useless=USELESS,
        values={"said": said, "pod": system.pods[0].name},
    )
