"""How a format's names and ours translate: a table of module names, read both ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pvtseg.errors import UserError

State = dict[str, Tensor]
Pairs = Sequence[tuple[str, str]]

NUM_STAGES = 4
MOST_BLOCKS = 64  # in one stage; b5 has 40


def under(ours: str, theirs: str, pairs: Pairs) -> Pairs:
    """The pairs, with a prefix on either side."""
    return [(ours + our_name, theirs + their_name) for our_name, their_name in pairs]


@dataclass(frozen=True)
class Cut:
    """A tensor that one side keeps whole and the other in parts.

    whole, parts: what stands in the names, in the order of concatenation. dim: along which. kernel: the last sides of the
    whole that the parts lack, (1, 1) where a 1 x 1 convolution is written as a matrix.
    """

    whole: str
    parts: tuple[str, ...]
    dim: int
    kernel: tuple[int, ...] = ()

    def split(self, state: State) -> State:
        """Every whole becomes its parts; all else stays."""
        cut: State = {}
        for name, tensor in state.items():
            if self.whole not in name:
                cut[name] = tensor
                continue
            matrix = tensor.reshape(tensor.shape[: tensor.ndim - len(self.kernel)])
            for part, piece in zip(self.parts, matrix.chunk(len(self.parts), self.dim), strict=True):
                cut[name.replace(self.whole, part)] = piece.contiguous()
        return cut

    def join(self, state: State) -> State:
        """All parts of a whole become one tensor; all else stays, an incomplete set too."""
        joined: State = {}
        for name, tensor in state.items():
            part = next((part for part in self.parts if part in name), None)
            names = [name.replace(part, other) for other in self.parts] if part else []
            if not names or not all(other in state for other in names):
                joined[name] = tensor
            elif name == names[0]:
                matrix = torch.cat([state[other] for other in names], self.dim)
                joined[name.replace(part, self.whole)] = matrix.reshape(*matrix.shape, *self.kernel)
        return joined


@dataclass(frozen=True)
class Format:
    """One way to name the weights of a backbone and, where there is a task, of that task's head.

    layout: whose format. family: pvt_v2, segformer or glpn. kind: what a message calls it. pairs: (our module, their module);
    {s} counts stages from 0, {S} from 1, {r} from the last one, {b} blocks. Where one of ours has several names, all are read
    and the first is written. joins: what they keep in parts and we whole; splits: the other way round. unused: modules that
    their code stores and never runs.
    """

    layout: str
    family: str
    task: str | None
    kind: str
    pairs: Pairs
    joins: tuple[Cut, ...] = ()
    splits: tuple[Cut, ...] = ()
    unused: tuple[str, ...] = ()

    def count(self, names: Iterable[str]) -> int:
        """How many of these names belong to this format."""
        return sum(_module(name) in self._ours for name in names)

    def left_over(self, names: Iterable[str]) -> list[str]:
        """The names that this format has no place for."""
        return [name for name in names if _module(name) not in self._ours and _module(name) not in self.unused]

    def to_ours(self, state: State) -> State:
        """Their weights under our names, without what is left over. The tensors are the same, bit for bit."""
        renamed = {_rename(name, self._ours): tensor for name, tensor in state.items() if _module(name) in self._ours}
        for cut in self.joins:
            renamed = cut.join(renamed)
        for cut in self.splits:
            renamed = cut.split(renamed)
        return renamed

    def to_theirs(self, state: State) -> State:
        """Our weights under their names. Raises UserError for a module that the format has no name for."""
        for cut in self.splits:
            state = cut.join(state)
        for cut in self.joins:
            state = cut.split(state)
        homeless = [name for name in state if _module(name) not in self._theirs]
        if homeless:
            raise UserError(f"{self.kind} has no place for {homeless[0]}; save with layout=pvtseg, which holds every model.")
        return {_rename(name, self._theirs): tensor for name, tensor in state.items()}

    @cached_property
    def _expanded(self) -> list[tuple[str, str]]:
        expanded = []
        for ours, theirs in self.pairs:
            for s in range(NUM_STAGES if "{s}" in ours else 1):
                for b in range(MOST_BLOCKS if "{b}" in ours else 1):
                    counts = {"s": s, "S": s + 1, "r": NUM_STAGES - 1 - s, "b": b}
                    expanded.append((ours.format(**counts), theirs.format(**counts)))
        return expanded

    @cached_property
    def _ours(self) -> dict[str, str]:
        return {theirs: ours for ours, theirs in self._expanded}

    @cached_property
    def _theirs(self) -> dict[str, str]:
        return dict(reversed(self._expanded))  # the first pair wins


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _rename(name: str, names: dict[str, str]) -> str:
    module, _, parameter = name.rpartition(".")
    return f"{names[module]}.{parameter}"
