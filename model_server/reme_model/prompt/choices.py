"""Lists the possible actions in one line, for models that answer without a grammar.

With a grammar alone, a model may begin a value that is not offered and be forced to complete it as
another one.
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
    """Return all choices; choices that differ only in their value are listed together."""
    values: dict[str, list[str]] = {}
    for action in offered_actions(space):
        label, value = _choice(action)
        values.setdefault(label, []).append(value)
    parts = [
        label
        if options == [""]
        else f"{label} {' or '.join(dict.fromkeys(options[:_MOST_VALUES]))}"
        for label, options in values.items()
    ]
    return short("; ".join([*parts, "abstain"]), _LONGEST)


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
    return _related_choice(action)


def _related_choice(action: Action) -> tuple[str, str]:
    name = action.target.name
    match action:
        case SetUpdateStrategy() | SetAutoscaling() | SetDisruptionBudget():
            values = action.values()
            fields = " and ".join(field.replace("_", " ") for field in values)
            return f"set {fields} of {name} to", " and ".join(str(v) for v in values.values())
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
    # Actions without a value, such as ResumeJob and UncordonNode.
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
            parts = [" ".join(words) or "none" for words in action.values().values()]
            return f"set {' and '.join(action.values())} {where}", short(" and ".join(parts), 60)
        case SetResources():
            values = action.values()
            fields = " and ".join(field.replace("_", " ") for field in values)
            return f"set {fields} {where}", " and ".join(values.values())
        case PatchProbe(probe=probe):
            settings = {n.replace("_", " "): v for n, v in action.values().items()}
            if len(settings) == 1:
                ((field, setting),) = settings.items()
                return f"set {field} of {probe} probe {where}", str(setting)
            return f"set {probe} probe {where}", " ".join(f"{n} {v}" for n, v in settings.items())
