"""Deep supervision: what an auxiliary head says counts too, a little (https://arxiv.org/abs/1612.01105, section 3.3)."""

from torch import Tensor, nn

from pvtseg.losses.terms import terms


class WithAuxiliary(nn.Module):
    """`loss` of the main answer and, `weight` times, of the auxiliary one: two answers, target -> scalars by name."""

    def __init__(self, loss: nn.Module, *, weight: float = 0.4):
        super().__init__()
        self.loss = loss
        self.weight = weight

    def forward(self, answers: tuple[Tensor, Tensor], target: Tensor) -> dict[str, Tensor]:
        main, auxiliary = (terms(self.loss, answer, target) for answer in answers)
        return main | {f"auxiliary_{name}": self.weight * value for name, value in auxiliary.items()}
