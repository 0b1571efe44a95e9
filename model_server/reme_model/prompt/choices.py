"""Says in one line what is possible, so that the model knows its choices before it writes.

The grammar alone is not enough: it would let a model begin a number that it likes and then make
it end in one that it never meant.
"""

from collections.abc import Mapping, Sequence

from reme_model.prompt.action_templates import offered_actions
from reme_model.prompt.redact import short
from reme_playbook.actions.registry import (
    Action,
    AllowEgress,
    AllowIngress,
    DeletePod,
    PatchNodeSelector,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    RemoveTaint,
    Restart,
    ResumeRollout,
    Rollback,
    Scale,
    SetAutoscaling,
    SetCommand,
    SetConfigValue,
    SetDisruptionBudget,
    SetEnv,
    SetImage,
    SetIngressBackend,
    SetQuota,
    SetResources,
    SetUpdateStrategy,
)

_MOST_VALUES = 8
_LONGEST = 1600


def list_choices(space: Sequence[Action]) -> str:
    """Return every choice, those that differ only in their value together."""
    values: dict[str, list[str]] = {}
    for action in offered_actions(space):
        label, value = _choice(action)
        values.setdefault(label, []).append(value)
    said = [
        label if some == [""] else f"{label} {' or '.join(dict.fromkeys(some[:_MOST_VALUES]))}"
        for label, some in values.items()
    ]
    return short("; ".join([*said, "abstain"]), _LONGEST)


def _choice(action: Action) -> tuple[str, str]:
    name = action.target.name
    match action:
        case Rollback(revision=None):
            return "roll back", ""
        case Rollback(revision=revision):
            return "roll back to revision", str(revision)
        case Scale(replicas=replicas):
            return "scale to", str(replicas)
        case ResumeRollout():
            return "resume the rollout", ""
        case DeletePod():
            return "delete pod", name
        case SetConfigValue(key=key, value=value):
            return f"set {key} of config {name} to", short(value, 40)
        case PatchServiceSelector(selector=selector):
            labels = ",".join(f"no {k}" if v is None else f"{k}={v}" for k, v in selector.items())
            return f"set selector of service {name} to", labels
        case PatchServicePort(port=port, target_port=target_port):
            return f"lead port {port} of service {name} to", str(target_port)
        case SetImage() | SetEnv() | SetResources() | PatchProbe() | SetCommand():
            return _in_container(action)
        case Restart():
            return "restart", ""
    return _around(action)


def _around(action: Action) -> tuple[str, str]:
    name = action.target.name
    match action:
        case SetUpdateStrategy() | SetAutoscaling() | SetDisruptionBudget():
            found = action.values()
            fields = " and ".join(field.replace("_", " ") for field in found)
            return f"set {fields} of {name} to", " and ".join(str(v) for v in found.values())
        case PatchNodeSelector(selector=selector):
            labels = ",".join(f"no {k}" if v is None else f"{k}={v}" for k, v in selector.items())
            return "set node selector to", labels
        case SetQuota(hard=hard):
            return f"set {' and '.join(hard)} of quota {name} to", " and ".join(hard.values())
        case SetIngressBackend(host=host, http_path=path, service=service, port=port):
            where = short(f"{host or ''}{path or ''}", 60)
            return f"lead {where} of ingress {name} to", f"{service} port {port}"
        case AllowIngress(labels=labels, port=port):
            return f"let in past {name}", f"{_labels(labels)} at port {port}"
        case AllowEgress(labels=None):
            return f"let out past {name}", "to the DNS"
        case AllowEgress(labels=peers, port=port):
            return f"let out past {name}", f"to {_labels(peers or {})} at port {port}"
        case RemoveTaint(key=key, effect=effect):
            return f"remove taint of node {name}", f"{key}:{effect}"
    # What has no value of its own: resume a job, uncordon a node.
    return action.summary()[:1].lower() + action.summary()[1:], ""


def _labels(labels: Mapping[str, str]) -> str:
    return short(",".join(f"{key}={value}" for key, value in labels.items()), 80)


def _in_container(
    action: SetImage | SetEnv | SetResources | PatchProbe | SetCommand,
) -> tuple[str, str]:
    where = f"of {action.container} to"
    match action:
        case SetImage(image=image):
            return f"set image {where}", short(image, 100)
        case SetEnv(variable=variable, value=value):
            return f"set {variable} {where}", short(value, 60)
        case SetCommand():
            words = [" ".join(some) or "none" for some in action.values().values()]
            return f"set {' and '.join(action.values())} {where}", short(" and ".join(words), 60)
        case SetResources():
            found = action.values()
            fields = " and ".join(field.replace("_", " ") for field in found)
            return f"set {fields} {where}", " and ".join(found.values())
        case PatchProbe(probe=probe):
            settings = {n.replace("_", " "): v for n, v in action.values().items()}
            if len(settings) == 1:
                ((field, setting),) = settings.items()
                return f"set {field} of {probe} probe {where}", str(setting)
            return f"set {probe} probe {where}", " ".join(f"{n} {v}" for n, v in settings.items())
