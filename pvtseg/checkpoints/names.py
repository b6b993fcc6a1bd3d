"""Translates a published format's parameter names into ours and back, by a table of
module names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pvtseg.errors import UserError

if TYPE_CHECKING:
    from pvtseg.checkpoints.architecture import HeadKind

State = dict[str, Tensor]
Pairs = Sequence[tuple[str, str]]

NUM_STAGES = 4
MOST_BLOCKS = 64  # in one stage; b5 has 40


def under(ours: str, theirs: str, pairs: Pairs) -> Pairs:
    """The pairs, with a prefix on either side."""
    return [(ours + our_name, theirs + their_name) for our_name, their_name in pairs]


@dataclass(frozen=True)
class SplitTensor:
    """A tensor that one side stores whole and the other side in parts.

    whole, parts: substrings of the parameter names; the whole is the concatenation of
    the parts along `dim`. sizes: the parts' relative lengths, equal if not given.
    kernel: trailing dimensions that only the whole has, (1, 1) for a 1 x 1 convolution
    that the other side stores as a linear layer. Biases have none.
    """

    whole: str
    parts: tuple[str, ...]
    dim: int = 0
    sizes: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()

    def split(self, state: State) -> State:
        """Replaces every whole by its parts; all else is unchanged."""
        split: State = {}
        for name, tensor in state.items():
            if self.whole not in name:
                split[name] = tensor
                continue
            matrix = tensor.reshape(tensor.shape[: tensor.ndim - len(self.kernel)]) if tensor.ndim > 1 else tensor
            for part, piece in zip(self.parts, matrix.split(self._lengths(matrix), self.dim), strict=True):
                split[name.replace(self.whole, part)] = piece.contiguous()
        return split

    def join(self, state: State) -> State:
        """Replaces all parts of a whole by it; all else, an incomplete set too, is
        unchanged.
        """
        joined: State = {}
        for name, tensor in state.items():
            part = next((part for part in self.parts if part in name), None)
            names = [] if part is None else [name.replace(part, other) for other in self.parts]
            if part is None or not all(other in state for other in names):
                joined[name] = tensor
            elif name == names[0]:
                matrix = torch.cat([state[other] for other in names], self.dim)
                kernel = self.kernel if matrix.ndim > 1 else ()
                joined[name.replace(part, self.whole)] = matrix.reshape(*matrix.shape, *kernel)
        return joined

    def _lengths(self, matrix: Tensor) -> list[int]:
        sizes = self.sizes or (1,) * len(self.parts)
        unit, rest = divmod(matrix.shape[self.dim], sum(sizes))
        if rest:
            raise UserError(
                f"{self.whole} has {matrix.shape[self.dim]} rows, expected a multiple of {sum(sizes)}; "
                "use the whole file."
            )
        return [unit * size for size in sizes]


@dataclass(frozen=True)
class Format:
    """One way to name the weights of a backbone and of its head.

    layout: whose format. kind: what a message calls it. heads: the heads that it can
    hold, None for a backbone alone. pairs: (our module, their module); {s} counts
    stages from 0, {S} from 1, {r} from the last one, {b} blocks. Of several names for
    one of our modules, all are read and the first is written. joins: what they store in
    parts and we whole; splits: the other way round. unused: modules that their code
    stores and never runs. linear: whether it knows linear attention. architecture: the
    class in transformers, for that layout.
    """

    layout: str
    kind: str
    heads: tuple[HeadKind | None, ...]
    pairs: Pairs
    joins: tuple[SplitTensor, ...] = ()
    splits: tuple[SplitTensor, ...] = ()
    unused: tuple[str, ...] = ()
    linear: bool = True
    architecture: str | None = None

    def count(self, names: Iterable[str]) -> int:
        """The number of these names that belong to this format."""
        return sum(_module(name) in self._ours for name in names)

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """The names that belong to no module of this format."""
        return [name for name in names if _module(name) not in self._ours and _module(name) not in self.unused]

    def from_published(self, state: State) -> State:
        """Their weights under our names, without unmatched ones; every number is unchanged."""
        renamed = {_rename(name, self._ours): tensor for name, tensor in state.items() if _module(name) in self._ours}
        for tensors in self.joins:
            renamed = tensors.join(renamed)
        for tensors in self.splits:
            renamed = tensors.split(renamed)
        return renamed

    def to_published(self, state: State) -> State:
        """Our weights under their names. Raises UserError for a module that the format
        cannot name.
        """
        for tensors in self.splits:
            state = tensors.join(state)
        for tensors in self.joins:
            state = tensors.split(state)
        unmatched = [name for name in state if _module(name) not in self._theirs]
        if unmatched:
            raise UserError(
                f"{self.kind} has no name for {unmatched[0]}; save with layout=pvtseg, which holds every model."
            )
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
