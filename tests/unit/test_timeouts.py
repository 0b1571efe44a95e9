"""No timeout is held across a yield: it would cancel the consumer of a generator."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("benchmark", "cluster", "model_server", "operator", "playbook_sandbox", "tests")
_TIMEOUTS = {"timeout", "timeout_at"}


def is_timeout(item: ast.withitem) -> bool:
    call = item.context_expr
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _TIMEOUTS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "asyncio"
    )


def inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a block, without those of functions that are only defined in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from inside(child)


def violations(source: str) -> list[int]:
    """Return the lines of timeouts with a yield inside."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AsyncWith)
        and any(map(is_timeout, node.items))
        and any(isinstance(child, ast.Yield | ast.YieldFrom) for child in inside(node))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_timeout_is_held_across_a_yield(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {
        str(file.relative_to(ROOT)): lines
        for file in files
        if (lines := violations(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_the_check_finds_one() -> None:
    block = "    async with asyncio.timeout(1):\n        for x in y:\n            yield x"
    source = f"async def f():\n{block}"
    assert violations(source) == [2]
    assert violations(source.replace("yield x", "await x")) == []
