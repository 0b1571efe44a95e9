"""The shortcuts of forward and backward passes change only the duration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM  # noqa: E402

from reme_lab.training import (  # noqa: E402
    attention,
    lora,
)
from reme_lab.training.forward import (  # noqa: E402
    group_states,
    reply_loss,
    reply_states,
)
from reme_lab.training.tokenization import Example  # noqa: E402

pytestmark = pytest.mark.timeout(300)
EXAMPLES = (
    Example(tuple(range(10, 40)), (50, 51, 52, 96)),
    Example((*range(10, 30), 70, 71), (60, 96)),
    Example((*range(10, 30), 5), (61, 62, 63, 64, 65, 96)),
)


def model_of(
    folder: Path, implementation: str, dtype: Any = torch.float32
) -> tuple[Any, lora.Adapters]:
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=implementation)
    model.to(dtype)
    torch.manual_seed(3)
    adapters = lora.Adapters(model, rank=4, alpha=8)
    with torch.no_grad():
        for part in adapters.parameters:
            part.copy_(torch.randn(part.shape) / 4)
    adapters.refresh()
    return model, adapters


def gradients(folder: Path, implementation: str, shared: int) -> tuple[float, list[Any]]:
    model, adapters = model_of(folder, implementation)
    loss = reply_loss(model, shared, EXAMPLES)
    loss.backward()
    return loss.item(), [part.grad for part in adapters.parameters]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
@pytest.mark.parametrize("shared", [0, 20])
def test_gradients_are_those_of_the_plain_way(
    tiny_base: Callable[[str], Path], architecture: str, shared: int
) -> None:
    folder = tiny_base(architecture)
    loss, actual = gradients(folder, attention.register(), shared)
    expected_loss, expected = gradients(folder, "eager", 0)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-6)


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
@pytest.mark.parametrize("shared", [0, 20])
def test_replies_in_one_row_are_computed_as_if_each_stood_alone(
    tiny_base: Callable[[str], Path], architecture: str, shared: int
) -> None:
    # In double precision: the rounding of sums depends on the processor.
    model, adapters = model_of(tiny_base(architecture), attention.register(), torch.float64)
    first, second = EXAMPLES[0].prompt, EXAMPLES[1].prompt
    groups = [
        [Example(first, (50, 51, 52, 96)), Example(first, (60, 96)), Example(first, (61, 62, 96))],
        [Example(second, (70, 96))],
    ]
    weights = torch.randn(
        model.config.hidden_size, dtype=torch.float64
    )  # the squares of the states are normalized
    states = [one for group in group_states(model, shared, groups) for one in group]
    sum((state @ weights).sin().sum() for state in states).backward()
    gradients_in_rows = [part.grad.clone() for part in adapters.parameters]
    for part in adapters.parameters:
        part.grad = None

    alone = reply_states(model, shared, [one for group in groups for one in group])
    sum((state @ weights).sin().sum() for state in alone).backward()
    for one, other in zip(states, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    for grad, part in zip(gradients_in_rows, adapters.parameters, strict=True):
        torch.testing.assert_close(grad, part.grad, rtol=2e-3, atol=2e-6)


def test_the_adapter_has_the_gradient_of_the_usual_way(tiny_base: Callable[[str], Path]) -> None:
    x, down, up = torch.randn(2, 5, 6), torch.randn(3, 6), torch.randn(7, 3)
    plain = torch.nn.Linear(6, 7, bias=False)
    adapted = lora.AdaptedLinear(plain, rank=3, alpha=6, dtype=torch.float32)
    adapted.down.data, adapted.up.data = down.clone(), up.clone()
    adapted.refresh()
    mine = x.clone().requires_grad_()
    adapted(mine).square().sum().backward()

    usual = [t.clone().requires_grad_() for t in (x, down, up)]
    weight = plain.weight.detach()
    (usual[0] @ (weight + 2.0 * usual[2] @ usual[1]).T).square().sum().backward()
    for one, other in zip((mine, adapted.down, adapted.up), usual, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_only_blocks_from_the_first_one_on_are_adapted(tiny_base: Callable[[str], Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_base("llama"))
    adapters = lora.Adapters(model, rank=2, alpha=4, first_layer=2)
    assert len(adapters.layers) == 7
    assert all(name.startswith("model.layers.2.") for name in adapters.layers)
    trained = [name for name, part in model.named_parameters() if part.requires_grad]
    assert len(trained) == 14
