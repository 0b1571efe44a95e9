"""Low-rank adapters that are merged into the weights once per step.

The usual implementation adds two thin products to every full one, forwards and backwards, which
costs half of the speed on a CPU. Here W + sBA is computed once per step, rounded as it will be
served, and the gradients of A and B follow from the layer's input and output gradient.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from reme_lab.training.errors import OtherRunError

_HEAD = "lm_head"


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """x (W + sBA)^T, with gradients for x, A and B only."""

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
    """A frozen linear layer without bias, with its adapter."""

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
        """Recompute the merged weight after a change of the adapter."""
        with torch.no_grad():
            self.merged = torch.addmm(self.frozen, self.up, self.down, alpha=self.scale).to(
                self.merged.dtype
            )

    def forward(self, x: Any) -> Any:
        """Return the product with the merged weight."""
        return _Product.apply(x, self.merged, self.down, self.up, self.scale)


class Adapters:
    """The adapters of a model, by the names of their layers."""

    def __init__(
        self, model: Any, *, rank: int, alpha: float, first_layer: int = 0, dtype: Any = None
    ) -> None:
        """Freeze the model; adapt the linear layers from `first_layer` on, except the head."""
        self.rank, self.alpha = rank, alpha
        model.requires_grad_(False)
        self.layers: dict[str, AdaptedLinear] = {}
        for name, layer in list(model.named_modules()):
            block = _block(name)
            if not isinstance(layer, nn.Linear) or block is None or block < first_layer:
                continue
            if layer.bias is not None:
                continue  # layers with a bias are not adapted; no base model has a relevant one
            adapted = AdaptedLinear(layer, rank, alpha, dtype or layer.weight.dtype)
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, adapted)
            self.layers[name] = adapted

    @property
    def parameters(self) -> list[Any]:
        """The trained parameters, in a fixed order."""
        return [part for layer in self.layers.values() for part in (layer.down, layer.up)]

    def refresh(self) -> None:
        """Recompute all merged weights; call this after every change of the adapters."""
        for layer in self.layers.values():
            layer.refresh()

    def state(self) -> dict[str, Any]:
        """Return copies of the adapters' matrices."""
        matrices: dict[str, Any] = {}
        for name, layer in self.layers.items():
            matrices[f"{name}.lora_A.weight"] = layer.down.detach().clone()
            matrices[f"{name}.lora_B.weight"] = layer.up.detach().clone()
        return matrices

    def load(self, state: dict[str, Any]) -> None:
        """Load matrices in the format of `state`.

        Raises:
            OtherRunError: they belong to another model, or have another rank.
        """
        shapes = {name: matrix.shape for name, matrix in self.state().items()}
        if shapes != {name: matrix.shape for name, matrix in state.items()}:
            raise OtherRunError("the adapter belongs to another base, or has another rank")
        with torch.no_grad():
            for name, layer in self.layers.items():
                layer.down.copy_(state[f"{name}.lora_A.weight"])
                layer.up.copy_(state[f"{name}.lora_B.weight"])
        self.refresh()

    def weights(self) -> dict[str, Any]:
        """Return the merged weights in float32, by their names in the base model."""
        return {
            f"{name}.weight": torch.addmm(
                layer.frozen, layer.up.detach(), layer.down.detach(), alpha=layer.scale
            )
            for name, layer in self.layers.items()
        }


def _block(name: str) -> int | None:
    """Return the number of the block of a layer; None for the head."""
    if name.rpartition(".")[2] == _HEAD:
        return None
    return next((int(part) for part in name.split(".") if part.isdigit()), None)
