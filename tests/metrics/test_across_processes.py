"""Two processes that each saw a part of the data report the figures of all of it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
import torch.distributed as dist

from pvtseg.metrics.classification import ClassificationMetrics
from pvtseg.metrics.depth import DepthMetrics
from pvtseg.metrics.segmentation import SegmentationMetrics


def figures(images: slice) -> dict[str, float]:
    """All metrics of some of six images with random answers, the fifth of them without depth."""
    generator = torch.Generator().manual_seed(0)
    labels, wanted = (torch.randint(5, (6, 9, 12), generator=generator) for _ in range(2))
    depth = 9 * torch.rand(6, 1, 9, 12, generator=generator)
    read = torch.tensor([1, 1, 1, 1, 0, 1]).view(6, 1, 1, 1)
    logits = torch.randn(6, 8, generator=generator)
    results = {}
    for metrics, prediction, target in [
        (SegmentationMetrics(5), labels, wanted),
        (DepthMetrics(), depth.roll(1, dims=3), depth * read),
        (ClassificationMetrics(8), logits, wanted[:, 0, 0]),
    ]:
        metrics.update(prediction[images], target[images])
        results |= {name: float(value) for name, value in metrics.compute().items()}
    return results


def figures_of_rank(rank: int, meeting_point: str) -> dict[str, float]:
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=2)
    results = figures([slice(0, 2), slice(2, 6)][rank])
    dist.destroy_process_group()
    return results


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_two_processes_report_what_one_would(tmp_path):
    meeting_point = (tmp_path / "meeting_point").as_uri()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
        answers = [processes.submit(figures_of_rank, rank, meeting_point) for rank in range(2)]
        for answer in answers:
            assert answer.result(timeout=60) == pytest.approx(figures(slice(None)), rel=1e-12)
