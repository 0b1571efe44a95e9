"""Turns JSON of the API server into reme's own types."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from reme_api.base import ApiObject
from reme_api.validation import first_error
from reme_kube.errors import UnreadableError

K = TypeVar("K", bound=ApiObject)


def parse_object(kind: type[K], body: Mapping[str, Any]) -> K:
    """Return the object.

    Raises:
        UnreadableError: it does not fit its type; `problem` names the first field, and why.

    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        problem = first_error(error)[:256]
        meta = body.get("metadata") or {}
        name = f"{meta.get('namespace')}/{meta.get('name')}"
        raise UnreadableError(f"{kind.KIND} {name}: {problem}", problem=problem) from error
