"""Faults of the test world, each with actions that repair it and actions that do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reme_api.probes import HttpProbe, Probe
from reme_lab.simulator import (
    SettingCondition,
    Stress,
    World,
    is_one_of,
    rule,
    with_field,
    with_rules,
    with_stress,
)
from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.job import ResumeJob
from reme_playbook.actions.network_policy import AllowIngress
from reme_playbook.actions.node import RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import ResumeRollout, SetUpdateStrategy
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.snapshot.field_path import Entry
from tests.unit.lab.simulator.broken import (
    CART,
    FIRST,
    autoscaled,
    bad_image,
    cordoned,
    denied,
    dying_disk,
    env,
    guarded,
    kept_apart,
    key_removed,
    lost_ingress,
    maintenance,
    paused,
    port_taken,
    quota_exhausted,
    recurring_stress,
    released,
    renumbered,
    suspended,
    tainted,
    two_faults,
    upstream,
    wrong_node,
)
from tests.unit.lab.simulator.worlds import (
    ANSWERS,
    DB,
    MIB,
    QUICK,
    below,
    key,
    lab,
    rollout,
)

Actions = Sequence[Action]


@dataclass(frozen=True)
class Break:
    """One fault: a broken world, and lists of actions by their result."""

    name: str
    world: Callable[[], World]
    good: Sequence[Actions] = ()
    useless: Sequence[Actions] = ((Restart(target=CART),),)
    probes: Sequence[Probe] = (ANSWERS, rollout())


ROLLBACK = (Rollback(target=CART),)


def server(action: type[Any], **values: Any) -> Action:
    made: Action = action(target=CART, container="server", **values)
    return made


def config(value: str) -> Action:
    return SetConfigValue(target=key("ConfigMap", "cart-settings"), key="MODE", value=value)


def delete(name: str) -> Action:
    return DeletePod(target=key("Pod", name))


def in_pod(stress: Stress, name: str, *probes: Probe) -> Break:
    """Return a fault of one pod: deleting that pod repairs it, and so does a restart."""
    return Break(
        name,
        lambda: with_stress(lab(), FIRST, stress),
        good=[(delete(FIRST),), (Restart(target=CART),)],
        useless=[(Scale(target=CART, replicas=3),), ROLLBACK],
        probes=[*probes, rollout()],
    )


SELECT = PatchServiceSelector(target=key("Service", "cart"), selector={"app": "cart"})
LOW = [rule(is_one_of("image", "lab/cart:2"), error_percent=60)]
TIGHT = {
    "httpGet": {"path": "/healthz", "port": 8080},
    "initialDelaySeconds": 1,
    "periodSeconds": 1,
    "failureThreshold": 1,
}

BREAKS: list[Break] = [
    Break(
        "bad image",
        bad_image,
        [ROLLBACK, (server(SetImage, image="lab/cart:1"),)],
        probes=[rollout()],
    ),
    Break(
        "bad command",
        lambda: released(
            (("command",), ["python", "-m", "nothing"]),
            rules=[rule(is_one_of("command", "python -m nothing"), exit_code=1)],
            recreate=True,
        ),
        [ROLLBACK, (server(SetCommand, command=()),)],
    ),
    Break(
        "bad variable",
        lambda: released(
            (env("POOL"), "auto"),
            rules=[rule(SettingCondition("POOL", pattern="[0-9]+", negate=True), exit_code=1)],
            recreate=True,
        ),
        [ROLLBACK, (server(SetEnv, variable="POOL", value="8"),)],
    ),
    Break(
        "wrong port",
        lambda: released((env("PORT"), "9999"), recreate=True),
        [ROLLBACK, (server(SetEnv, variable="PORT", value="8080"),)],
    ),
    Break("bad version", lambda: released((("image",), "lab/cart:2"), rules=LOW), [ROLLBACK]),
    Break(
        "slow version",
        lambda: released(
            (("image",), "lab/cart:2"),
            rules=[rule(is_one_of("image", "lab/cart:2"), latency_milliseconds=1900)],
        ),
        [ROLLBACK],
        useless=[
            (Restart(target=CART),),
            (server(SetResources, cpu_limit="600m"),),
            (Scale(target=CART, replicas=4),),
        ],
        probes=[QUICK],
    ),
    Break(
        "leak",
        lambda: released(
            (("image",), "lab/cart:2"),
            rules=[rule(is_one_of("image", "lab/cart:2"), leaks=True)],
        ),
        [ROLLBACK],
        useless=[(Restart(target=CART),), (server(SetResources, memory_limit="256Mi"),)],
        probes=[below("memory", 60)],
    ),
    Break(
        "memory limit too low",
        lambda: released(
            (("resources", "limits", "memory"), "32Mi"),
            (("resources", "requests", "memory"), "32Mi"),
            recreate=True,
        ),
        [
            ROLLBACK,
            (server(SetResources, memory_limit="128Mi", memory_request="64Mi"),),
        ],
        useless=[(Restart(target=CART),), (server(SetResources, memory_limit="38Mi"),)],
    ),
    Break(
        "cpu limit too low",
        lambda: released(
            (("resources", "limits", "cpu"), "5m"), (("resources", "requests", "cpu"), "5m")
        ),
        [ROLLBACK, (server(SetResources, cpu_limit="300m", cpu_request="100m"),)],
        probes=[rollout(), below("cpu", 70)],
    ),
    Break(
        "wrong probe",
        lambda: released((("readinessProbe", "httpGet", "port"), 9000), recreate=True),
        [
            ROLLBACK,
            (server(PatchProbe, probe="readiness", handler="httpGet", port=8080),),
        ],
    ),
    Break(
        "tight probe",
        lambda: released(
            (("livenessProbe",), TIGHT),
            (env("STARTUP"), "slow"),
            rules=[rule(is_one_of("STARTUP", "slow"), startup_seconds=20.0)],
            recreate=True,
        ),
        [ROLLBACK],
        useless=[
            (Restart(target=CART),),
            (server(PatchProbe, probe="liveness", failure_threshold=2),),
        ],
    ),
    Break(
        "missing key",
        lambda: released(
            (
                ("env", Entry("EXTRA", "name"), "valueFrom"),
                {"configMapKeyRef": {"name": "cart-settings", "key": "region"}},
            )
        ),
        [ROLLBACK],
        probes=[rollout()],
    ),
    Break(
        "key removed",
        key_removed,
        [(config("normal"),), (config("normal"), Restart(target=CART))],
    ),
    Break(
        "maintenance",
        maintenance,
        [(config("normal"), Restart(target=CART))],
        useless=[
            (Restart(target=CART),),
            (config("normal"),),
            (Restart(target=CART), config("normal")),
            (Scale(target=CART, replicas=3),),
        ],
    ),
    Break("paused", paused, [(ResumeRollout(target=CART),)]),
    Break(
        "wrong dependency",
        lambda: released((env("DB_URL"), "http://dbb:80/")),
        [ROLLBACK, (server(SetEnv, variable="DB_URL", value="http://db:80/"),)],
    ),
    Break(
        "resolver",
        lambda: with_field(lab(), CART, "None", "spec", "template", "spec", "dnsPolicy"),
        [ROLLBACK],
    ),
    Break(
        "full scratch",
        lambda: with_field(
            with_rules(lab(), CART, rule(scratch_bytes=4 * MIB)),
            CART,
            [{"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "2Mi"}}],
            "spec",
            "template",
            "spec",
            "volumes",
        ),
        [ROLLBACK],
    ),
    Break(
        "init waits",
        lambda: with_field(
            with_field(lab(), CART, {"type": "Recreate"}, "spec", "strategy"),
            CART,
            [{"name": "wait", "image": "lab/wait:1", "command": ["wait", "vault:8200"]}],
            "spec",
            "template",
            "spec",
            "initContainers",
        ),
        [ROLLBACK],
    ),
    Break(
        "selector",
        lambda: with_field(lab(), key("Service", "cart"), {"app": "cart-v2"}, "spec", "selector"),
        [(SELECT,)],
        probes=[ANSWERS],
    ),
    Break(
        "target port",
        lambda: with_field(
            lab(),
            key("Service", "cart"),
            [{"name": "http", "port": 80, "targetPort": 9000}],
            "spec",
            "ports",
        ),
        [(PatchServicePort(target=key("Service", "cart"), port=80, target_port=8080),)],
        probes=[ANSWERS],
    ),
    Break(
        "replicas zero",
        lambda: with_field(lab(), CART, 0, "spec", "replicas"),
        [(Scale(target=CART, replicas=2),)],
    ),
    Break(
        "quota",
        quota_exhausted,
        [(SetQuota(target=key("ResourceQuota", "team"), hard={"pods": "4"}),)],
        probes=[rollout()],
    ),
    Break(
        "huge request",
        lambda: released(
            (("resources", "requests", "cpu"), "64"),
            (("resources", "limits", "cpu"), "64"),
            recreate=True,
        ),
        [ROLLBACK, (server(SetResources, cpu_limit="300m", cpu_request="100m"),)],
    ),
    Break(
        "autoscaler",
        autoscaled,
        [
            (SetAutoscaling(target=key("HorizontalPodAutoscaler", "cart"), max_replicas=4),),
            ROLLBACK,
        ],
        useless=[(Restart(target=CART),), (Scale(target=CART, replicas=4),)],
        probes=[QUICK],
    ),
    Break("cordoned", cordoned, [(UncordonNode(target=key("Node", "n1")),)]),
    Break(
        "tainted",
        tainted,
        [(RemoveTaint(target=key("Node", "n1"), key="upkeep", effect="NoSchedule"),)],
    ),
    Break(
        "node selector",
        wrong_node,
        [ROLLBACK, (PatchNodeSelector(target=CART, selector={"disk": None}),)],
    ),
    Break(
        "kept apart",
        kept_apart,
        [ROLLBACK, (SetUpdateStrategy(target=CART, max_surge=0, max_unavailable=1),)],
        probes=[rollout(1)],
    ),
    Break(
        "port taken",
        port_taken,
        [ROLLBACK, (SetUpdateStrategy(target=CART, max_surge=0, max_unavailable=1),)],
        useless=[(Restart(target=CART),)],
        probes=[rollout(1)],
    ),
    Break(
        "budget",
        guarded,
        [
            (Scale(target=CART, replicas=3),),
            (SetDisruptionBudget(target=key("PodDisruptionBudget", "cart"), min_available=1),),
        ],
        probes=[rollout()],
    ),
    Break(
        "denied",
        denied,
        [
            (
                AllowIngress(
                    target=key("NetworkPolicy", "lockdown"),
                    position=0,
                    labels={"app": "front"},
                    port=8080,
                ),
            )
        ],
        probes=[Probe(name="caller", http=HttpProbe(service="front", port=80))],
    ),
    Break(
        "ingress",
        lost_ingress,
        [
            (
                SetIngressBackend(
                    target=key("Ingress", "front"),
                    rule=0,
                    path=0,
                    host="lab.example",
                    http_path="/",
                    service="front",
                    port=80,
                ),
            )
        ],
    ),
    Break(
        "suspended job",
        suspended,
        [(ResumeJob(target=key("Job", "cart-seed")),), ROLLBACK],
        probes=[rollout()],
    ),
    Break("upstream", upstream, [(Rollback(target=DB),)]),
    Break("returning stress", recurring_stress, [ROLLBACK], probes=[below("cpu", 50), rollout()]),
    Break(
        "two faults",
        two_faults,
        [(Rollback(target=CART), SELECT)],
        useless=[(Restart(target=CART),), ROLLBACK, (SELECT,)],
    ),
    in_pod(Stress(cpu=True), "cpu stress", below("cpu", 50)),
    in_pod(Stress(memory_bytes=80 * MIB), "memory stress", below("memory", 50)),
    in_pod(Stress(disk=True), "slow disk", QUICK),
    in_pod(Stress(loss_percent=50), "packet loss", QUICK),
    in_pod(Stress(delay_milliseconds=1000), "packet delay", QUICK),
    in_pod(Stress(failed=True), "failed pod"),
    Break(
        "dying disk",
        dying_disk,
        useless=[(Restart(target=CART),), ROLLBACK, (delete(FIRST),)],
        probes=[QUICK],
    ),
    Break("renumbered", renumbered, useless=[(Restart(target=CART),), ROLLBACK, (SELECT,)]),
]
