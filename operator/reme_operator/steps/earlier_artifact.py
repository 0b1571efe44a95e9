"""Finds what an earlier process stored for a step that it did not live to record."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reme_kube.errors import NotFoundError
from reme_kube.resources import CONFIG_MAPS
from reme_operator.steps.context import StepContext

M = TypeVar("M", bound=BaseModel)


async def earlier_artifact(context: StepContext, name: str, key: str, kind: type[M]) -> M | None:
    """Return the artifact of that name; None if it is not there, foreign, or cannot be read."""
    try:
        config_map = await context.deps.cluster.get(CONFIG_MAPS, context.namespace, name)
    except NotFoundError:
        return None
    owners = config_map["metadata"].get("ownerReferences") or []
    if context.remediation.metadata.uid not in {owner.get("uid") for owner in owners}:
        return None
    try:
        return kind.model_validate_json((config_map.get("data") or {}).get(key, ""))
    except ValidationError:
        return None
