"""Any action, and texts that are nearly playbooks, for hypothesis."""

import json
from typing import Any

from hypothesis import strategies as st

from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.config_value import SetConfigValue, UnsetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.job import ResumeJob, SuspendJob
from reme_playbook.actions.network_policy import (
    AllowEgress,
    AllowIngress,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.actions.node import AddTaint, CordonNode, RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import PUBLIC, Action
from reme_playbook.actions.resources import SetResources, UnsetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import PauseRollout, ResumeRollout, SetUpdateStrategy
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.actions.string_types import holds_template, is_printable
from reme_playbook.compiler.playbook import check_conflicts
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.snapshot.object_ref import ObjectRef

names = st.sampled_from(["cart", "front-end", "db.main", "0"])
containers = st.sampled_from(["server", "proxy", "c0"])
cpus = st.integers(1, 10**6).map(lambda n: f"{n}m")
memories = st.integers(1, 10**15).map(str)
values = st.text(max_size=24).filter(lambda t: is_printable(t) and not holds_template(t))
lines = st.text(max_size=24).filter(
    lambda t: is_printable(t, also="\n\t") and not holds_template(t)
)
ports = st.integers(1, 65535) | st.sampled_from(["http", "grpc-web"])
seconds = st.none() | st.integers(1, 10**4)


def keys(*kinds: str) -> st.SearchStrategy[ObjectRef]:
    return st.builds(ObjectRef, st.sampled_from(kinds), st.sampled_from(["shop", "a"]), names)


def _having(build: Any) -> Any:
    return build.filter(lambda built: built is not None)


def _or_none(kind: Any) -> Any:
    def build(**fields: Any) -> Any:
        try:
            return kind(**fields)
        except ValueError:
            return None  # no field is set, or path and port without a handler

    return build


workloads = keys("Deployment", "StatefulSet", "DaemonSet")
maybe_cpu, maybe_memory = st.none() | cpus, st.none() | memories
nodes = st.builds(ObjectRef, st.just("Node"), st.just(""), names)
selectors = st.dictionaries(
    st.sampled_from(["disk", "kubernetes.io/arch", "no"]),
    st.none() | st.sampled_from(["ssd", "", "1.0", "true"]),
    min_size=1,
)
labels = st.dictionaries(
    st.sampled_from(["app", "app.kubernetes.io/name", "on"]),
    st.sampled_from(["front", "", "1.0", "true"]),
    min_size=1,
    max_size=2,
)
counts = st.integers(0, 99) | st.sampled_from(["0%", "25%", "100%"])
commands = st.none() | st.lists(lines, max_size=3).map(tuple)
places = st.integers(0, 3)
effects = st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"])
taints = st.sampled_from(["dedicated", "example.com/gpu"])
rule = {"target": keys("NetworkPolicy"), "position": places}
public: st.SearchStrategy[Action] = st.one_of(
    st.sampled_from([action.example() for action in PUBLIC.values()]),
    st.builds(Restart, target=workloads),
    st.builds(Rollback, target=workloads, revision=st.none() | st.integers(1, 99)),
    st.builds(
        lambda target, revision, pods: Rollback(
            target=target,
            revision=revision,
            stuck_revision=f"{target.name}-1",
            stuck_pods=tuple(f"{target.name}-{n}" for n in sorted(pods)),
        ),
        target=keys("StatefulSet"),
        revision=st.integers(1, 99),
        pods=st.sets(st.integers(0, 9), min_size=1, max_size=3),
    ),
    st.builds(Scale, target=keys("Deployment", "StatefulSet"), replicas=st.integers(1, 99)),
    _having(
        st.builds(
            _or_none(SetResources),
            target=workloads,
            container=containers,
            cpu_limit=maybe_cpu,
            memory_limit=maybe_memory,
            cpu_request=maybe_cpu,
            memory_request=maybe_memory,
        )
    ),
    st.builds(
        SetImage,
        target=workloads,
        container=containers,
        image=st.sampled_from(["a:1", "r.example:5000/b/c@sha256:00"]),
    ),
    st.builds(
        SetEnv,
        target=workloads,
        container=containers,
        variable=st.sampled_from(["A", "_b.c-1"]),
        value=values,
    ),
    st.builds(
        SetConfigValue,
        target=keys("ConfigMap"),
        key=st.sampled_from(["a", "app.properties", "yes"]),
        value=lines,
    ),
    _having(
        st.builds(
            _or_none(PatchProbe),
            target=workloads,
            container=containers,
            probe=st.sampled_from(["readiness", "liveness", "startup"]),
            handler=st.sampled_from([None, "httpGet", "tcpSocket", "grpc"]),
            path=st.none() | st.sampled_from(["/", "/ready?x=1"]),
            port=st.none() | ports,
            initial_delay_seconds=seconds,
            period_seconds=seconds,
            timeout_seconds=seconds,
            failure_threshold=seconds,
        )
    ),
    st.builds(
        PatchServiceSelector,
        target=keys("Service"),
        selector=st.dictionaries(
            st.sampled_from(["app", "app.kubernetes.io/name", "yes"]),
            st.none() | st.sampled_from(["cart", "", "1.0", "true"]),
            min_size=1,
        ),
    ),
    st.builds(PatchServicePort, target=keys("Service"), port=st.integers(1, 99), target_port=ports),
    st.builds(DeletePod, target=keys("Pod")),
    _having(
        st.builds(
            _or_none(SetUpdateStrategy),
            target=keys("Deployment"),
            max_surge=st.none() | counts,
            max_unavailable=st.none() | counts,
        )
    ),
    st.builds(PatchNodeSelector, target=workloads, selector=selectors),
    _having(
        st.builds(
            _or_none(SetCommand),
            target=workloads,
            container=containers,
            command=commands,
            args=commands,
        )
    ),
    _having(
        st.builds(
            _or_none(SetAutoscaling),
            target=keys("HorizontalPodAutoscaler"),
            min_replicas=st.none() | st.integers(1, 5),
            max_replicas=st.none() | st.integers(1, 9),
        )
    ),
    st.builds(
        SetQuota,
        target=keys("ResourceQuota"),
        hard=st.fixed_dictionaries(
            {"pods": st.sampled_from(["0", "12"])},
            optional={
                "requests.cpu": st.sampled_from(["2", "2500m"]),
                "limits.memory": st.sampled_from(["4Gi", "1000"]),
            },
        ),
    ),
    _having(
        st.builds(
            _or_none(SetDisruptionBudget),
            target=keys("PodDisruptionBudget"),
            min_available=st.none() | counts,
            max_unavailable=st.none() | counts,
        )
    ),
    st.builds(ResumeJob, target=keys("Job")),
    st.builds(
        SetIngressBackend,
        target=keys("Ingress"),
        rule=places,
        path=places,
        host=st.none() | st.sampled_from(["shop.example", "*.shop.example"]),
        http_path=st.none() | st.sampled_from(["/", "/cart(/|$)(.*)"]),
        service=st.sampled_from(["cart", "front-end"]),
        port=ports,
    ),
    st.builds(AllowIngress, **rule, labels=labels, port=ports),
    st.builds(AllowEgress, **rule, labels=labels, port=ports),
    st.builds(AllowEgress, **rule),
    st.builds(UncordonNode, target=nodes),
    st.builds(RemoveTaint, target=nodes, key=taints, effect=effects),
    st.builds(ResumeRollout, target=keys("Deployment")),
)
internal: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        UnsetEnv, target=workloads, container=containers, variable=st.sampled_from(["A", "B"])
    ),
    st.builds(UnsetConfigValue, target=keys("ConfigMap"), key=st.sampled_from(["a", "b"])),
    st.builds(
        UnsetResources,
        target=workloads,
        container=containers,
        fields=st.sampled_from([("cpu_limit",), ("memory_limit", "memory_request")]),
    ),
    st.builds(PauseRollout, target=keys("Deployment")),
    st.builds(SuspendJob, target=keys("Job")),
    st.builds(WithdrawIngress, **rule, labels=labels, port=ports),
    st.builds(WithdrawEgress, **rule, labels=labels, port=ports),
    st.builds(WithdrawEgress, **rule),
    st.builds(CordonNode, target=nodes),
    st.builds(
        AddTaint,
        target=nodes,
        key=taints,
        effect=effects,
        value=st.sampled_from(["", "1.0", "gpu"]),
    ),
    st.builds(Scale, target=keys("Deployment"), replicas=st.just(0)),
)


def _together(actions: tuple[Action, ...]) -> bool:
    try:
        check_conflicts(actions)
    except RejectedPlaybookError:
        return False
    return True


def playbooks(action: st.SearchStrategy[Action]) -> st.SearchStrategy[tuple[Action, ...]]:
    """Return lists of actions that do not write the same field twice."""
    return st.lists(action, min_size=1, max_size=5).map(tuple).filter(_together)


_words = st.sampled_from(
    [
        "kind",
        "name",
        "namespace",
        "state",
        "patched",
        "absent",
        "definition",
        "spec",
        "template",
        "metadata",
        "containers",
        "image",
        "env",
        "value",
        "resources",
        "limits",
        "memory",
        "cpu",
        "replicas",
        "Deployment",
        "Pod",
        "Service",
        "ConfigMap",
        "server",
        "data",
        "selector",
        "ports",
        "targetPort",
        "port",
        "kubernetes.core.k8s",
        "k8s_scale",
        "k8s_rollback",
        "k8s_json_patch",
        "k8s_taint",
        "k8s_drain",
        "patch",
        "op",
        "path",
        "add",
        "taints",
        "NetworkPolicy",
        "Node",
        "/spec/ingress",
        "hosts",
        "localhost",
        "tasks",
        "gather_facts",
        "connection",
        "local",
        "annotations",
        "api_version",
        "apps/v1",
        "$patch",
        "delete",
    ]
)
_scalars = st.one_of(
    _words, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)
)
_documents = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_words | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
_yaml_pieces = st.sampled_from(
    [
        "- ",
        ": ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!!",
        "!x ",
        "? ",
        "|\n",
        ">",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        '"',
        "'",
        "\\U",
        "\\x",
        "FFFFFFFF",
        "#",
        "<<",
        ",",
        "yes",
        "1e3",
        "0o1",
        "k8s",
        "hosts",
        "kind",
        "\t",
        "\r",
        "\u2028",
        "\ufeff",
        "\ud800",
        "%",
        "@",
        "~",
        "1" * 5000,
    ]
)
nearly: st.SearchStrategy[str] = st.one_of(
    st.text(max_size=200),
    st.lists(_yaml_pieces, max_size=30).map("".join),
    _documents.map(json.dumps),
    st.dictionaries(_words, _documents, max_size=5).map(lambda d: json.dumps([{"k8s": d}])),
)
