"""Several losses at once."""

from collections.abc import Mapping

from torch import Tensor, nn

from pvtseg.errors import UserError


class WeightedSum(nn.Module):
    """Each term times its weight, by name: what is minimized is their sum, what is logged is each of them.

    terms and weights: by the same names. (answer, target) -> scalars by name.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms or terms.keys() != weights.keys():
            raise UserError(f"loss.terms are {sorted(terms)}, loss.weights {sorted(weights)}; give each term its weight.")
        self.terms = nn.ModuleDict(terms)
        self.weights = dict(weights)

    def forward(self, answer: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {name: self.weights[name] * term(answer, target) for name, term in self.terms.items()}
