"""Benchmark of the simulator: `python -m reme_lab.simulator [SECONDS]` prints JSON.

An episode is one allowed action, applied to a broken world and assessed.
"""

import gc
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_api.probes import HttpProbe, Probe, RolloutProbe
from reme_lab.simulator import (
    Call,
    EntryPoint,
    GroundTruth,
    Program,
    apply,
    assess,
    make_world,
    snapshot_of,
    with_container_fields,
    with_ground_truth,
)
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.snapshot.object_ref import ObjectRef

_NAMESPACE = "lab"
_CHAIN = 8
_IMAGE = "lab/broken:2"


def _meta(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": _NAMESPACE}}


def _workload(place: int) -> Mapping[str, Any]:
    name = f"w{place}"
    probe = {"httpGet": {"path": "/ready", "port": 8080}}
    container = {
        "name": "server",
        "image": "lab/server:1",
        "env": [{"name": "NEXT", "value": f"http://w{place + 1}:80/"}],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "300m", "memory": "128Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": name}}
    return {
        **_meta("Deployment", name),
        "spec": {"replicas": 2, "selector": selector, "template": template},
    }


def _service(place: int) -> Mapping[str, Any]:
    spec = {"selector": {"app": f"w{place}"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {**_meta("Service", f"w{place}"), "spec": spec}


def measure(seconds: float) -> dict[str, Any]:
    """Return the number of episodes per second of this thread's CPU time."""
    keys = [ObjectRef("Deployment", _NAMESPACE, f"w{n}") for n in range(_CHAIN)]
    programs = {key: Program(calls=(Call("NEXT"),)) for key in keys[:-1]}
    objects = [make_one(n) for n in range(_CHAIN) for make_one in (_workload, _service)]
    world = make_world(
        keys[1], objects, GroundTruth(programs=programs, entry_points=(EntryPoint("w0"),))
    )
    world = with_ground_truth(world, missing_images=frozenset({_IMAGE}))
    world = with_container_fields(world, keys[1], "server", (("image",), _IMAGE))
    policy = RemediationPolicySpec.model_validate(
        {"actions": [{"name": name, "maxIncreasePercent": 100} for name in ActionName]}
    )
    actions = allowed_actions(snapshot_of(world), policy)
    probes = [
        Probe(name="answers", http=HttpProbe(service="w1", port=80)),
        Probe(name="rollout", rollout=RolloutProbe(min_replicas=2)),
    ]
    gc.freeze()
    start, episodes, verified = time.thread_time(), 0, 0
    while time.thread_time() - start < seconds:
        for action in actions:
            verified += assess(world, apply(world, [action]), probes).good
            episodes += 1
    elapsed = time.thread_time() - start
    return {
        "workloads": _CHAIN,
        "actions": len(actions),
        "episodes": episodes,
        "good": verified,
        "episodes_per_second": round(episodes / elapsed),
    }


if __name__ == "__main__":
    print(json.dumps(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 3)))
