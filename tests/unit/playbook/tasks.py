"""Tasks as a model writes them, and what the compiler makes of them."""

import json
from typing import Any

import pytest

from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule

HEAD = {"kind": "Deployment", "name": "cart", "namespace": "shop"}
SERVER = {"name": "server"}
RESTART = {"metadata": {"annotations": {"reme.dev/restarted-at": "now"}}}
LIMIT = {"name": "server", "resources": {"limits": {"memory": "256Mi"}}}


def task(module: str = "kubernetes.core.k8s", **parameters: Any) -> dict[str, Any]:
    return {module: {**HEAD, **parameters}}


def patched(definition: Any, **parameters: Any) -> dict[str, Any]:
    return task(state="patched", definition=definition, **parameters)


def in_template(template: Any) -> dict[str, Any]:
    return patched({"spec": {"template": template}})


def in_container(*containers: Any) -> dict[str, Any]:
    return in_template({"spec": {"containers": list(containers)}})


def on(target: Any, definition: Any) -> dict[str, Any]:
    where = {"kind": target.kind, "name": target.name, "namespace": target.namespace}
    return patched(definition, **where)


def compiled(*tasks: Any, **options: Any) -> tuple[Action, ...]:
    return compile_playbook(json.dumps(list(tasks)), **options)


def rule_of(text: str, **options: Any) -> RejectionRule:
    with pytest.raises(RejectedPlaybookError) as caught:
        compile_playbook(text, **options)
    assert 10 < len(str(caught.value)) < 1100
    assert str(caught.value).isprintable()
    return caught.value.rule
