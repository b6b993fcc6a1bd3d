"""Several losses of the same outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pvtseg.errors import UserError


class WeightedSum(nn.Module):
    """Each term times its weight: (outputs, target) -> {name: weight * the sum of the
    term's scalars}.

    terms and weights: by the same names. Their sum is minimized; each is logged under
    its name. Raises UserError where a term has no weight, or a weight no term.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms or terms.keys() != weights.keys():
            raise UserError(f"loss.terms are {sorted(terms)}, loss.weights {sorted(weights)}; give each term a weight.")
        self.terms = nn.ModuleDict(terms)
        self.weights = dict(weights)

    def forward(self, outputs: Any, target: Any) -> dict[str, Tensor]:
        return {
            name: self.weights[name] * torch.stack([*term(outputs, target).values()]).sum()
            for name, term in self.terms.items()
        }
