"""Upsampling in bands is F.interpolate."""

import pytest
import torch
from resizing import SIZES, plain

from pvtseg.layers import upsampling
from pvtseg.layers.upsampling import bands, channels_last


@pytest.fixture(params=[1, 2_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
def band_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upsampling, "CPU_BAND_BYTES", request.param)
    return request.param


@pytest.mark.usefixtures("band_bytes")
@pytest.mark.parametrize(("coarse_size", "size"), SIZES)
@pytest.mark.parametrize("num_channels", [1, 3])
def test_the_bands_together_are_the_interpolated_map(coarse_size, size, num_channels):
    maps = torch.randn(1, num_channels, *coarse_size, dtype=torch.float64)
    coarse = channels_last(maps[0])
    fine = torch.cat([band.upsample(coarse[band.sources]) for band in bands(maps, size)])
    torch.testing.assert_close(fine, plain(maps, size)[0].permute(1, 2, 0))


def test_bands_follow_each_other_and_stay_within_the_memory(monkeypatch):
    monkeypatch.setattr(upsampling, "CPU_BAND_BYTES", 10_000)
    maps = torch.zeros(2, 5, 16, 16)
    cut = list(bands(maps, (64, 64)))
    assert [band.rows.start for band in cut[1:]] == [band.rows.stop for band in cut[:-1]]
    assert (cut[0].rows.start, cut[-1].rows.stop) == (0, 64)
    assert all((band.rows.stop - band.rows.start) * 64 * 5 * 4 <= 10_000 for band in cut)
