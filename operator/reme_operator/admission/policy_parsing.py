"""A policy as the API server has it: read, or why it cannot be."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reme_api.policy import RemediationPolicy
from reme_api.validation import first_error
from reme_operator.admission.policy_selection import UnreadablePolicy
from reme_playbook.snapshot import unstructured


def parse_policy(body: Mapping[str, Any]) -> RemediationPolicy | UnreadablePolicy:
    """Return the policy, or which of its fields does not fit and why."""
    try:
        return RemediationPolicy.model_validate(body)
    except ValidationError as error:
        namespace, name = (
            unstructured.text(body, "metadata", key) for key in ("namespace", "name")
        )
        return UnreadablePolicy(namespace, name, first_error(error)[:256])
