"""What the checkpoint tests share: models of other libraries with random weights in
every tensor.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """transformers draws progress bars otherwise."""
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    torch.manual_seed(0)


@pytest.fixture
def shaken() -> Callable[[nn.Module], nn.Module]:
    """Gives a model random weights where it starts with zeros and ones, so that no two
    tensors can be mistaken.
    """

    def shake(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.is_floating_point() and tensor.ndim <= 1:
                    tensor.add_(0.1 * torch.rand(tensor.shape))  # positive, as a variance has to stay
        return model.eval()

    return shake


@pytest.fixture
def image() -> Callable[..., Tensor]:
    """A random image (1, C, H, W) of the given size."""
    return lambda height, width, channels=3: torch.randn(
        1, channels, height, width, generator=torch.Generator().manual_seed(1)
    )
