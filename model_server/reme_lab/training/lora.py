"""Low-rank adapters that cost next to nothing: they are added to the weights once per step.

The usual way runs two thin products beside every full one, forwards and backwards; on a processor
that costs half of the speed. Here W + sBA is computed once per step, rounded as it will be served,
and the gradients of A and B come from the layer's input and output gradient.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from reme_lab.training.errors import OtherRunError

_HEAD = "lm_head"


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """x (W + sBA)^T, where only x, A and B get gradients."""

    @staticmethod
    def forward(ctx: Any, x: Any, merged: Any, down: Any, up: Any, scale: float) -> Any:
        ctx.save_for_backward(x, merged, down, up)
        ctx.scale = scale
        return functional.linear(x, merged)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, merged, down, up = ctx.saved_tensors
        inputs, grads = x.flatten(0, -2), grad.flatten(0, -2)
        to_input = grad @ merged if ctx.needs_input_grad[0] else None
        to_down = (grads @ up.to(grad.dtype)).T @ inputs
        to_up = grads.T @ (inputs @ down.to(x.dtype).T)
        scale = ctx.scale
        return to_input, None, scale * to_down.float(), scale * to_up.float(), None


class AdaptedLinear(nn.Module):  # type: ignore[misc]
    """A frozen linear layer without bias, and its adapter."""

    def __init__(self, base: Any, rank: int, alpha: float, dtype: Any) -> None:
        super().__init__()
        wide, narrow = base.weight.shape
        self.frozen = base.weight.detach().float()
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, narrow))
        self.up = nn.Parameter(torch.zeros(wide, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.merged = self.frozen.to(dtype)

    def refresh(self) -> None:
        """Take changes of the adapter over into the weight that is computed with."""
        with torch.no_grad():
            self.merged = torch.addmm(self.frozen, self.up, self.down, alpha=self.scale).to(
                self.merged.dtype
            )

    def forward(self, x: Any) -> Any:
        """Return the product with the weight as of the last refresh."""
        return _Product.apply(x, self.merged, self.down, self.up, self.scale)


class Adapters:
    """The adapters of a model, by the names of the layers that they change."""

    def __init__(
        self, model: Any, *, rank: int, alpha: float, first_layer: int = 0, dtype: Any = None
    ) -> None:
        """Freeze the model, and adapt every linear layer from a block on but for its head."""
        self.rank, self.alpha = rank, alpha
        model.requires_grad_(False)
        self.layers: dict[str, AdaptedLinear] = {}
        for name, layer in list(model.named_modules()):
            block = _block(name)
            if not isinstance(layer, nn.Linear) or block is None or block < first_layer:
                continue
            if layer.bias is not None:
                continue  # none of the bases has one where it matters
            adapted = AdaptedLinear(layer, rank, alpha, dtype or layer.weight.dtype)
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, adapted)
            self.layers[name] = adapted

    @property
    def parameters(self) -> list[Any]:
        """What is trained, in a fixed order."""
        return [part for layer in self.layers.values() for part in (layer.down, layer.up)]

    def refresh(self) -> None:
        """Take changes over into all weights; to be called after every change."""
        for layer in self.layers.values():
            layer.refresh()

    def state(self) -> dict[str, Any]:
        """Return copies of the adapters' matrices."""
        found: dict[str, Any] = {}
        for name, layer in self.layers.items():
            found[f"{name}.lora_A.weight"] = layer.down.detach().clone()
            found[f"{name}.lora_B.weight"] = layer.up.detach().clone()
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Take matrices as `state` returned them.

        Raises:
            OtherRunError: they are not of this model, or of another rank.
        """
        mine = {name: matrix.shape for name, matrix in self.state().items()}
        if mine != {name: matrix.shape for name, matrix in state.items()}:
            raise OtherRunError("the adapter is of another base or another rank")
        with torch.no_grad():
            for name, layer in self.layers.items():
                layer.down.copy_(state[f"{name}.lora_A.weight"])
                layer.up.copy_(state[f"{name}.lora_B.weight"])
        self.refresh()

    def weights(self) -> dict[str, Any]:
        """Return the merged weights in float32, by the names that they have in the base."""
        return {
            f"{name}.weight": torch.addmm(
                layer.frozen, layer.up.detach(), layer.down.detach(), alpha=layer.scale
            )
            for name, layer in self.layers.items()
        }


def _block(name: str) -> int | None:
    """Return the number of the block that a layer belongs to; the head belongs to none."""
    if name.rpartition(".")[2] == _HEAD:
        return None
    return next((int(part) for part in name.split(".") if part.isdigit()), None)
