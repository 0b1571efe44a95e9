"""Attention kernel for training on a CPU: plain matrix products, with stored probabilities.

The library's kernel is made for long sequences: for the few hundred tokens of an incident its
backward pass takes twice as long. Heads that share keys are computed as one product.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

NAME = "reme_products"


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    """softmax(q k^T + bias) v over (batch, rows, head); keys are already shared among the rows."""

    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, bias: Any, scale: float) -> Any:
        scores = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
        chances = torch.softmax(scores, -1)
        mixed = torch.bmm(chances, v)
        ctx.save_for_backward(q, k, v, chances, mixed)
        ctx.scale = scale
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        q, k, v, chances, mixed = ctx.saved_tensors
        grad = grad.contiguous()
        to_v = torch.bmm(chances.transpose(1, 2), grad)
        mean = (grad * mixed).sum(-1, keepdim=True)
        to_scores = torch.bmm(grad, v.transpose(1, 2)).sub_(mean).mul_(chances)
        to_q = torch.bmm(to_scores, k).mul_(ctx.scale)
        to_k = torch.bmm(to_scores.transpose(1, 2), q).mul_(ctx.scale)
        return to_q, to_k, to_v, None, None


def attend(
    _module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **_: Any
) -> tuple[Any, None]:
    """Return the attention output, with the signature of the library's attention functions."""
    batch, heads, length, width = query.shape
    groups, keys = key.shape[1], key.shape[2]
    rows = heads // groups * length
    if mask is None:
        mask = torch.ones(length, keys, dtype=torch.bool).tril(keys - length)[None, None]
    bias = torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(
        mask.logical_not() if mask.dtype == torch.bool else mask < 0, float("-inf")
    )
    bias = bias.expand(batch, groups, -1, -1).reshape(batch * groups, 1, length, keys)
    bias = bias.expand(-1, heads // groups, -1, -1).reshape(batch * groups, rows, keys)
    mixed = _Attention.apply(
        query.reshape(batch * groups, rows, width),
        key.reshape(batch * groups, keys, width),
        value.reshape(batch * groups, keys, width),
        bias,
        scaling,
    )
    return mixed.view(batch, heads, length, width).transpose(1, 2), None


def register() -> str:
    """Register the kernel with the library; return its name."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
