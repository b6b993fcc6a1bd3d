"""The losses of several heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pvtseg.errors import UserError


class PerHead(nn.Module):
    """A loss for each head: (outputs by head, target) -> {"head/term": scalar}.

    losses: by the names of the heads. target: a mapping by the same names, or one
    target for all heads, as an auxiliary head has it. Raises UserError where a head has
    no loss, a loss no head, or a head no target.
    """

    def __init__(self, losses: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)

    def forward(self, outputs: Mapping[str, Any], target: Any) -> dict[str, Tensor]:
        heads = set(self.losses)
        if not isinstance(outputs, Mapping) or outputs.keys() != heads:
            found = sorted(outputs) if isinstance(outputs, Mapping) else "one without a name"
            raise UserError(f"loss has {sorted(heads)}, head has {found}; give each head a loss of the same name.")
        targets = target if isinstance(target, Mapping) else dict.fromkeys(heads, target)
        if heads - targets.keys():
            raise UserError(
                f"head has {sorted(heads)}, the data has targets for {sorted(targets)}; name each head as its target."
            )
        return {
            f"{head}/{name}": value
            for head, loss in self.losses.items()
            for name, value in loss(outputs[head], targets[head]).items()
        }
