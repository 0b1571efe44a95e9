"""What the API server does with a strategic merge patch, written down independently of the code."""

import copy
from typing import Any

_KEYS = {"containers": ("name",), "env": ("name",), "ports": ("containerPort", "port")}


def merge(manifest: Any, patch: Any, name: str = "") -> Any:
    """Return the object after the patch."""
    if isinstance(patch, dict) and isinstance(manifest, dict):
        result = copy.deepcopy(manifest)
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            elif key in result:
                result[key] = merge(result[key], value, key)
            else:
                result[key] = _fresh(value)
        return result
    if isinstance(patch, list) and isinstance(manifest, list) and name in _KEYS:
        return _merge_list(manifest, patch, _KEYS[name])
    return _fresh(patch)


def _merge_list(manifest: list[Any], patch: list[Any], keys: tuple[str, ...]) -> list[Any]:
    result = copy.deepcopy(manifest)
    for entry in patch:
        by = next(key for key in keys if key in entry)
        place = next((i for i, e in enumerate(result) if e.get(by) == entry[by]), None)
        if entry.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(_fresh(entry))
        else:
            result[place] = merge(result[place], entry)
    return result


def _fresh(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _fresh(v) for k, v in value.items() if v is not None}
    return copy.deepcopy(value)
