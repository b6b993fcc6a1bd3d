"""The interface of a data set."""

from __future__ import annotations

from typing import Protocol

from pvtseg.interfaces import Sample


class Samples(Protocol):
    """A data set of `Sample`s, by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...
