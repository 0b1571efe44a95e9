"""What a fault's file says; everything that a case does is in it, nothing in code of its own.

Texts may hold `${name}`: parameters of the case and facts of the target (see `faults.fill`).
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Data(BaseModel):
    """Base of everything that is read from a file: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(StrEnum):
    """What a fault is about."""

    MICROREMED = "microremed"
    ROLLOUT = "rollout"
    RESOURCES = "resources"
    NETWORK = "network"
    SCHEDULING = "scheduling"
    DEPENDENCY = "dependency"
    CONTROL = "control"


class Split(StrEnum):
    """What a case may be used for."""

    TRAIN = "train"
    DEV = "dev"
    HELD_OUT = "held-out"


class Need(StrEnum):
    """What a cluster must have for a fault to be possible; else it is not applicable there."""

    METRICS = "metrics"
    NETWORK_POLICY = "network-policy"  # is really enforced
    INGRESS = "ingress"  # a controller serves Ingresses
    SECOND_NODE = "second-node"
    ONLY_NODE = "only-node"  # where there are more, a pod goes to another one
    AGENT = "agent"  # the node agent can work: privileged pods are allowed
    DISK_THROTTLE = "disk-throttle"
    PACKET_DELAY = "packet-delay"


class Targets(Data):
    """Which services of a system a fault can be brought about in."""

    kinds: tuple[Literal["Deployment", "StatefulSet", "DaemonSet"], ...] = ("Deployment",)
    roles: tuple[str, ...] = ("service", "front")
    min_replicas: int = 1
    calls_something: bool = False
    is_called: bool = False
    one_caller: bool = False  # exactly one service calls it
    writes_disk: bool = False
    has_config: bool = False
    config_keys: tuple[str, ...] = ()  # all of them are in its ConfigMap
    calls_by_variable: bool = False  # whom it calls stands in its template, in no ConfigMap
    min_memory_mebibytes: int = 0  # that each instance holds, beside the interpreter
    has_memory_limit: bool = False
    has_cpu_limit: bool = False


# --- injection ----------------------------------------------------------------------------------


class Patch(Data):
    """Changes one object of the system; `kind: Workload` means the target itself."""

    kind: str = "Workload"
    name: str = "${service}"
    how: Literal["strategic", "merge", "json"] = "strategic"
    body: Any


class Create(Data):
    """Creates one object in the system's namespace."""

    object: dict[str, Any]


class Agent(Data):
    """Has the node agent bring about a fault in the target's containers."""

    fault: Literal["cpu", "memory", "disk", "loss", "delay"]
    options: dict[str, Any] = Field(default_factory=dict)
    service: str = "${service}"
    follow: bool = False  # it returns to every pod that replaces the one it was put into
    while_field: "FieldHolds | None" = None  # the cause: without it, the fault ends and stays away


class PodFail(Data):
    """Swaps the image of one pod of the target for one that does nothing."""

    service: str = "${service}"


class NodeFault(Data):
    """Makes nodes refuse pods; a replaced pod then finds no place."""

    cordon: bool = False
    taint: dict[str, str] | None = None
    replace_pod: bool = True


class DeletePods(Data):
    """Deletes the target's pods, so that what was changed beside them is felt."""

    service: str = "${service}"


class Pause(Data):
    """Waits."""

    seconds: float


class Heal(Data):
    """Ends the fault by itself after a while: for the control in which nothing should be done."""

    after_seconds: float


class Step(Data):
    """One step of an injection: exactly one of its kinds."""

    patch: Patch | None = None
    create: Create | None = None
    agent: Agent | None = None
    pod_fail: PodFail | None = None
    node: NodeFault | None = None
    delete_pods: DeletePods | None = None
    pause: Pause | None = None
    heal: Heal | None = None

    @model_validator(mode="after")
    def _one(self) -> "Step":
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(type(self).model_fields)}")
        return self


# --- measuring ----------------------------------------------------------------------------------


class Rollout(Data):
    """The newest template is rolled out, and as many pods as before the fault are available."""

    service: str = "${service}"


class Serves(Data):
    """Requests to the service, by way of its Service object, are answered as before."""

    service: str = "${service}"
    path: str = "/"
    min_percent: float = 100
    max_milliseconds: float | None = None  # of the median
    requests: int = 4


class UsageBelow(Data):
    """Every container's use of a resource is below a share of its limit, by its own cgroup."""

    resource: Literal["cpu", "memory"]
    max_percent: float
    service: str = "${service}"


class ThrottledBelow(Data):
    """The containers are throttled in less than this share of the periods."""

    max_percent: float
    service: str = "${service}"


class DiskAbove(Data):
    """A write to the pod's own volume, synced, is at least this fast."""

    min_mebibytes_per_second: float
    service: str = "${service}"


class NetworkGood(Data):
    """Requests straight to each pod come back, and in time."""

    max_loss_percent: float = 2
    max_milliseconds: float = 300
    service: str = "${service}"
    requests: int = 12


class NoRestarts(Data):
    """No container of the service was started anew during the window."""

    service: str = "${service}"


class MemoryFlat(Data):
    """Memory does not grow faster than this: a leak is gone, not only its present size."""

    max_mebibytes_per_minute: float
    service: str = "${service}"


class FieldHolds(Data):
    """A field of an object has a value; for limits that are not felt yet."""

    kind: str
    name: str
    path: str  # dotted, lists by name: spec.template.spec.containers[web].image
    at_least: float | None = None
    equals: Any = None
    absent: bool = False


class Check(Data):
    """One independent measurement that holds when the fault's effect is gone."""

    rollout: Rollout | None = None
    serves: Serves | None = None
    usage: UsageBelow | None = None
    throttled: ThrottledBelow | None = None
    disk: DiskAbove | None = None
    network: NetworkGood | None = None
    no_restarts: NoRestarts | None = None
    memory_flat: MemoryFlat | None = None
    field: FieldHolds | None = None

    @model_validator(mode="after")
    def _one(self) -> "Check":
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError(f"a check is exactly one of {', '.join(type(self).model_fields)}")
        return self


class MayDiffer(Data):
    """A field that a good repair may leave other than it was before the fault.

    `path` is dotted, `*` stands for any name in a list or a map. Numbers and amounts are bounded
    by factors of the value from before the fault; without bounds any value is good.
    """

    kind: str = "Workload"
    name: str = "${service}"
    path: str
    min_factor: float | None = None
    max_factor: float | None = None


class Oracle(Data):
    """How to tell, from outside and without believing anybody, that the fault is gone."""

    effect: tuple[Check, ...] = Field(min_length=1)
    may_differ: tuple[MayDiffer, ...] = ()
    users: bool = True  # users must be served as before
    window_seconds: float = 8
    settle_seconds: float = 60  # longest time that a good repair may take to show


class Published(StrEnum):
    """Which of MicroRemed's own checks applies."""

    CPU = "cpu-stress"
    MEMORY = "memory-stress"
    DISK = "disk-io"
    NETWORK_LOSS = "network-loss"
    NETWORK_DELAY = "network-delay"
    POD_FAIL = "pod-fail"
    CONFIG = "pod-config-error"


# --- reporting and repairing ----------------------------------------------------------------------


class ReportTemplate(Data):
    """What a diagnosis tool would have said; evidence is gathered from the live system."""

    type: Slug  # the fault as the tool names it
    summary: str = Field(max_length=900)
    terse: str = Field(max_length=300)
    misleading: str = Field(max_length=900)  # partly wrong: symptom right, cause wrong
    misleading_type: Slug
    probes: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=8)  # as in the API


class Repair(Data):
    """A playbook that is good, as a model would write it: a list of Ansible tasks."""

    title: str
    playbook: tuple[dict[str, Any], ...] = Field(min_length=1)


class Fault(Data):
    """One fault."""

    id: Slug
    group: Group
    title: str
    description: str
    why_not_restart: str  # or, where a restart is good, why it is
    restart_helps: bool = False
    targets: Targets = Targets()
    needs: tuple[Need, ...] = ()
    exclusive: bool = False  # disturbs every other system of the cluster
    held_out: bool = False  # the whole fault type is kept from training
    parameters: dict[str, dict[Split, tuple[Any, ...]]] = Field(default_factory=dict)
    inject: tuple[Step, ...] = Field(min_length=1)
    bite_seconds: float = 45  # longest time until the effect shows
    oracle: Oracle
    published: Published | None = None
    report: ReportTemplate
    repairs: tuple[
        Repair, ...
    ] = ()  # the least disruptive first; none: the right answer is to abstain

    @property
    def control(self) -> bool:
        """Whether it only ever serves as a control: nothing should be done about it."""
        return self.group is Group.CONTROL

    @property
    def heals(self) -> bool:
        """Whether it ends by itself."""
        return any(step.heal is not None for step in self.inject)


class Control(StrEnum):
    """Cases in which the right answer is to do nothing and say why."""

    HEALTHY = "healthy"
    WRONG_TARGET = "wrong-target"
    WRONG_TYPE = "wrong-type"
    SELF_HEALING = "self-healing"
    UNREPAIRABLE = "unrepairable"
    HOSTILE = "hostile"
