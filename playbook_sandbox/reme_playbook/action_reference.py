"""Writes `docs/actions.md`, what every action is: `python -m reme_playbook.action_reference`.

`--check` writes nothing, prints what differs and exits with 1. What the gate asks is said in words
here, beside an example of each action; the rest is computed from the example.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from reme_api.generated_files import sync
from reme_playbook.actions import registry as a
from reme_playbook.actions.field_paths import dotted, granted
from reme_playbook.execution.grants import RUN_ROLES, grant_rules
from reme_playbook.execution.render import tasks
from reme_playbook.snapshot.object_ref import ObjectRef

HEADER = (
    "<!-- Generated from the code by `python -m reme_playbook.action_reference`; do not edit. -->\n"
)
_INTRODUCTION = """\
A playbook is Ansible of a small kind: one play on localhost, or a bare list of tasks, in each of
which one of these actions is written with a module of `kubernetes.core`. What is not on this page
does not compile. A policy allows actions by name, with bounds; the gate compares each with the
live objects, and refuses what changes nothing, what is not the target's, and what could not be
taken back. New values are never made up: they are steps of numbers, what was there before (an
earlier revision, or what its owner last applied), or the names of what exists.

A run may get and patch the objects of its actions (a pod: get and delete), and the API server
refuses any other field, and any other value than the action's. Nothing is ever deleted but a pod,
and nothing created. The example of an action is how a model writes it; what runs is rendered anew
from it, with the API version and the title that people see.

The disruption is what a policy's `maxDisruption` is compared with. `Medium` becomes `High` where a
rollout stops every pod that serves before another one does (strategy Recreate, one replica of a
StatefulSet), and so does deleting the only pod that is ready; scaling up is `None`."""
_BOUNDARY = """As a boundary: what each action can touch, within what, with which rights, and how it
is taken back. The names of containers, keys and ports are those of the examples below."""
_OUT = Path(__file__).parents[2] / "docs/actions.md"


@dataclass(frozen=True)
class Entry:
    """One action: an example of it, what the gate asks, and what an undo does."""

    example: a.Action
    bounds: str
    undo: str


def _key(kind: str, name: str = "cart") -> ObjectRef:
    namespace = "" if kind == "Node" else "shop"
    return ObjectRef(kind, namespace, name)  # type: ignore[arg-type]


_CART = _key("Deployment")
_POLICY = _key("NetworkPolicy")
_EARLIER = "the earlier value"

ENTRIES: tuple[Entry, ...] = (
    Entry(a.Restart(target=_CART), "always", "nothing to restore"),
    Entry(
        a.Rollback(target=_CART),
        "a revision whose pods really differ, with no more privilege than now",
        "the template of before, if it is still the one that the run brought",
    ),
    Entry(
        a.Scale(target=_CART, replicas=3),
        "`maxIncreasePercent` and `maxDecreasePercent` of the present number, numbers of before, "
        "never above `maxReplicas`, never 0",
        _EARLIER,
    ),
    Entry(
        a.SetResources(target=_CART, container="server", memory_limit="256Mi"),
        "`maxIncreasePercent` and `maxDecreasePercent` of the present amount, or amounts of "
        "before, never above `maxCpuMillicores` and `maxMemoryMebibytes`; what has no limit gets "
        "one only from before; none is taken away",
        "the earlier amounts; those that were not set are taken away",
    ),
    Entry(
        a.SetImage(target=_CART, container="server", image="registry.example/cart:1"),
        "an image that the container had in an earlier revision",
        _EARLIER,
    ),
    Entry(
        a.SetEnv(target=_CART, container="server", variable="STOCK_HOST", value="stock"),
        "a value of before, or the present one with the name of a Service that exists instead of "
        "one that does not; nothing that looks like a secret",
        "the earlier value; one that was not set is taken away",
    ),
    Entry(
        a.SetCommand(target=_CART, container="server", command=("/cart",), args=()),
        "command or arguments of an earlier revision; nothing that looks like a secret",
        _EARLIER,
    ),
    Entry(
        a.SetConfigValue(target=_key("ConfigMap", "cart-config"), key="stock", value="stock:8080"),
        "in a ConfigMap that the template refers to; values as for SetEnv",
        "the earlier value; a key that was not there is taken away",
    ),
    Entry(
        a.PatchProbe(
            target=_CART, container="server", probe="readiness", handler="httpGet", path="/ready"
        ),
        "a path or port of before, or a declared port; seconds and thresholds by a factor of 2 at "
        "most; none is added or removed",
        "the earlier values",
    ),
    Entry(
        a.PatchServiceSelector(target=_key("Service"), selector={"app": "cart"}),
        "on a Service of the target that selects none of its pods; afterwards it selects them and "
        "no others",
        "the earlier labels",
    ),
    Entry(
        a.PatchServicePort(target=_key("Service"), port=80, target_port=8080),
        "to a port that a container of the target declares",
        _EARLIER,
    ),
    Entry(
        a.DeletePod(target=_key("Pod", "cart-6d5f7-x2x4q")),
        "a pod of the target; of those that are ready at most one",
        "nothing to restore",
    ),
    Entry(a.ResumeRollout(target=_CART), "of a paused Deployment", "the rollout is paused again"),
    Entry(
        a.SetUpdateStrategy(target=_CART, max_surge=0, max_unavailable=1),
        "0 or 1, and not both 0: for a rollout that finds no room for one pod more",
        "the earlier values",
    ),
    Entry(
        a.PatchNodeSelector(target=_CART, selector={"disk": None}),
        "labels as an earlier revision asked for them, or without one that no node has",
        "the earlier labels",
    ),
    Entry(
        a.SetAutoscaling(target=_key("HorizontalPodAutoscaler"), max_replicas=4),
        "of the target's autoscaler: `maxIncreasePercent` and `maxDecreasePercent` of the present "
        "number, numbers of before, never above `maxReplicas`, never 0",
        "the earlier numbers",
    ),
    Entry(
        a.SetQuota(target=_key("ResourceQuota", "all"), hard={"pods": "12"}),
        "an amount that is used up, so that pods of the target are missing: up to "
        "`maxIncreasePercent` more, or an amount of before; never lowered, never removed",
        "the earlier amounts",
    ),
    Entry(
        a.SetDisruptionBudget(target=_key("PodDisruptionBudget"), min_available=2),
        "of a budget of the target alone that lets no pod be moved: at least half of the pods "
        "stay, and one at a time goes",
        _EARLIER,
    ),
    Entry(
        a.ResumeJob(target=_key("Job", "cart-migration")),
        "a suspended Job that the target's template names, or that is called like the target",
        "the Job is suspended again, which ends its pods",
    ),
    Entry(
        a.SetIngressBackend(
            target=_key("Ingress", "shop"),
            rule=0,
            path=1,
            host="shop.example",
            http_path="/cart",
            service="cart",
            port=80,
        ),
        "of a path that leads to a port or Service that is not there, or led to the target when it "
        "was applied: to a Service of the target, at a port that it has",
        "the earlier backend",
    ),
    Entry(
        a.AllowIngress(target=_POLICY, position=0, labels={"app": "front"}, port=8080),
        "one rule more, behind the others, in a policy that selects the target: for the pods of "
        "one workload of the namespace that are not let in, at a port that the target declares",
        "that rule is removed",
    ),
    Entry(
        a.AllowEgress(target=_POLICY, position=0, labels={"app": "stock"}, port=8080),
        "one rule more, behind the others, in a policy that selects the target: to the pods of a "
        "Service that the target names, at a port that it leads to; or to the cluster's DNS",
        "that rule is removed",
    ),
    Entry(
        a.UncordonNode(target=_key("Node", "worker-1")),
        "a node that is ready and that pods of the target could use, while no node takes them; "
        "not where reme watches only some namespaces",
        "the node is cordoned again",
    ),
    Entry(
        a.RemoveTaint(target=_key("Node", "worker-1"), key="dedicated", effect="NoSchedule"),
        "as UncordonNode, of a taint that the pods do not tolerate; never one of Kubernetes' own",
        "the taint is put back",
    ),
)


def reference() -> str:
    """Return the whole page as Markdown."""
    lines = [HEADER, "# Actions", "", _INTRODUCTION, ""]
    lines += ["| Action | Kinds | What it does | Disruption |", "|---|---|---|---|"]
    for entry in ENTRIES:
        action = entry.example
        what = str(type(action).__doc__).partition("\n")[0]
        kinds = ", ".join(sorted(action.KINDS))
        name = f"[{action.name}](#{action.name.lower()})"
        lines.append(f"| {name} | {kinds} | {what} | {action.disruption} |")
    lines += ["", _BOUNDARY, "", *_boundary()]
    for entry in ENTRIES:
        lines += ["", *_section(entry)]
    return "\n".join(lines) + "\n"


def _boundary() -> Iterator[str]:
    yield "| Action | Ansible form | Fields | Bounds | Rights | Undo | Disruption |"
    yield "|---|---|---|---|---|---|---|"
    for entry in ENTRIES:
        action = entry.example
        (module,) = tasks([action])[0]
        form = f"`{module.rpartition('.')[2]}`"
        cells = (
            f"[{action.name}](#{action.name.lower()})",
            form,
            _fields(action),
            entry.bounds,
            _rights(action),
            entry.undo,
            str(action.disruption),
        )
        yield f"| {' | '.join(cells)} |"


def _fields(action: a.Action) -> str:
    return ", ".join(f"`{dotted(path)}`" for path in granted(action)) or "the pod itself"


def _rights(action: a.Action) -> str:
    (rule,) = grant_rules([action])
    verbs = sorted({verb for one in RUN_ROLES[action.target.plural] for verb in one["verbs"]})
    group = f"{rule.group}/" if rule.group else ""
    return f"`{group}{rule.resource}`, role `run-{action.target.plural}` ({_list(verbs)})"


def _section(entry: Entry) -> Iterator[str]:
    action = entry.example
    yield f"## {action.name}"
    yield ""
    yield f"- Allowed: {entry.bounds}."
    yield f"- Writes: {_fields(action)}."
    yield f"- Rights: {_rights(action)}."
    yield f"- Undo: {entry.undo}."
    yield ""
    yield "```yaml"
    yield yaml.safe_dump(tasks([action]), sort_keys=False, width=96).rstrip()
    yield "```"


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_playbook.action_reference", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_OUT, help="the file to write")
    options = parser.parse_args(arguments)
    return sync({options.out: reference()}, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
