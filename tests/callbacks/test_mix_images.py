"""Mixed batches: images and targets have the same weights, and are drawn repeatably."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pvtseg.callbacks.mix_images import MixImages
from pvtseg.errors import UserError


def mixed(callback, *, epoch=0, batch_index=0, rank=0):
    """Six images whose pixels are their class."""
    image = torch.arange(6.0)[:, None, None, None].expand(6, 3, 16, 16).clone()
    sizes, names = [(16, 16)] * 6, [str(index) for index in range(6)]
    batch = {
        "image": image, "image_size": sizes, "views": [image], "target": torch.arange(6), "size": sizes, "name": names,
    }  # fmt: skip
    callback.on_train_batch_start(SimpleNamespace(global_rank=rank, current_epoch=epoch), None, batch, batch_index)
    return batch["image"], batch["target"]


@pytest.mark.parametrize("options", [{"cutmix_alpha": 0}, {"mixup_alpha": 0}, {}], ids=["mixup", "cutmix", "both"])
def test_a_target_holds_the_weight_of_each_image(options):
    for batch_index in range(8):
        image, target = mixed(MixImages(6, **options), batch_index=batch_index)
        torch.testing.assert_close(target.sum(dim=1), torch.ones(6))
        expected = (target * torch.arange(6.0)).sum(dim=1)
        torch.testing.assert_close(image.mean(dim=(1, 2, 3)), expected, rtol=1e-4, atol=1e-4)


def test_cutmix_prob_is_the_fraction_of_batches_with_cutmix():
    pasted = [(mixed(MixImages(6), batch_index=i)[0] % 1 == 0).all().item() for i in range(60)]
    assert 15 < sum(pasted) < 45


def test_what_is_drawn_depends_on_seed_process_epoch_and_batch_and_on_nothing_else():
    state = torch.get_rng_state()
    first = mixed(MixImages(6))[1]
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(mixed(MixImages(6))[1], first)
    others = [
        mixed(MixImages(6), epoch=1),
        mixed(MixImages(6), batch_index=1),
        mixed(MixImages(6), rank=1),
        mixed(MixImages(6, seed=1)),
    ]
    assert not any(torch.equal(target, first) for _, target in others)


def test_nothing_to_mix_is_refused():
    with pytest.raises(UserError, match="nothing is mixed"):
        MixImages(6, mixup_alpha=0, cutmix_alpha=0)
