"""Two processes that each saw a part of the data report the metrics of all of it."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
import torch.distributed as dist

from pvtseg.metrics.classification import ClassificationMetrics
from pvtseg.metrics.depth import DepthMetrics
from pvtseg.metrics.segmentation import SegmentationMetrics
from pvtseg.metrics.several import MetricsByName

NAMES = ("segmentation", "depth", "classification")


def metrics_of(images: slice) -> dict[str, float]:
    """All metrics of some of six random images. The fifth has no valid depth."""
    generator = torch.Generator().manual_seed(0)
    maps, target_maps = (torch.randint(5, (6, 9, 12), generator=generator) for _ in range(2))
    depth = 9 * torch.rand(6, 9, 12, generator=generator)
    valid = torch.tensor([1, 1, 1, 1, 0, 1]).view(6, 1, 1)
    scores = torch.randn(6, 8, generator=generator)
    predictions = zip(maps, depth.roll(1, dims=2), scores, strict=True)
    targets = zip(target_maps, depth * valid, target_maps[:, 0, 0], strict=True)
    metrics = MetricsByName(
        dict(zip(NAMES, (SegmentationMetrics(5), DepthMetrics(), ClassificationMetrics(8)), strict=True))
    )
    metrics.update(
        *([dict(zip(NAMES, image, strict=True)) for image in list(values)[images]] for values in (predictions, targets))
    )
    return {name: float(value) for name, value in metrics.compute().items()}


def metrics_of_rank(rank: int, meeting_point: str) -> dict[str, float]:
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=2)
    results = metrics_of([slice(0, 2), slice(2, 6)][rank])
    dist.destroy_process_group()
    return results


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_two_processes_report_the_metrics_of_one(tmp_path):
    meeting_point = (tmp_path / "meeting_point").as_uri()
    expected = metrics_of(slice(None))
    assert {name.split("/")[0] for name in expected} == set(NAMES)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
        ranks = [processes.submit(metrics_of_rank, rank, meeting_point) for rank in range(2)]
        for rank in ranks:
            assert rank.result(timeout=60) == pytest.approx(expected, rel=1e-12)
