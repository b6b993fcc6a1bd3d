"""The line of each validation: the monitored metric, and whether it is the best so far."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from pvtseg.callbacks.progress import RunProgress
from pvtseg.errors import UserError


def progress_of(metric: str, mode: str) -> RunProgress:
    callback = RunProgress(monitor={"metric": metric, "mode": mode})
    callback.console.file = io.StringIO()
    return callback


def validate(callback: RunProgress, step: int = 0, *, fn: str = "fit", sanity_checking: bool = False, **results) -> str:
    """What the end of a validation prints."""
    trainer = SimpleNamespace(state=SimpleNamespace(fn=fn), sanity_checking=sanity_checking, global_step=step)
    callback.console.file = io.StringIO()
    metrics = SimpleNamespace(per_class={"IoU/wall": "wall"})
    callback.on_validation_end(trainer, SimpleNamespace(results=results, metrics=metrics))
    return callback.console.file.getvalue()


@pytest.mark.parametrize(
    ("mode", "scores", "best"),
    [
        ("max", [0.5, 0.4, 0.6, 0.6], [True, False, True, False]),
        ("min", [0.5, 0.4, 0.6, 0.3], [True, True, False, True]),
        ("min", [float("nan"), 0.4, float("nan"), 0.3], [False, True, False, True]),
        ("max", [-2.0, -1.0, -3.0], [True, True, False]),
    ],
)
def test_the_best_so_far_follows_the_mode(mode, scores, best):
    callback = progress_of("rmse", mode)
    lines = [validate(callback, step, rmse=score, delta1=9 * step) for step, score in enumerate(scores)]
    assert ["best so far" in line for line in lines] == best


def test_the_line_names_step_metric_and_score():
    assert (
        validate(progress_of("mIoU", "max"), 12_000, mIoU=0.42, mAcc=0.5)
        == "step 12,000  val mIoU 0.4200  best so far\n"
    )


def test_a_sanity_check_and_an_evaluation_are_not_scored():
    callback = progress_of("mIoU", "max")
    assert validate(callback, mIoU=0.9, sanity_checking=True) == ""
    assert validate(callback, mIoU=0.9, fn="validate") == ""
    assert "best so far" in validate(callback, mIoU=0.1)


def test_every_process_but_the_first_is_silent():
    callback = progress_of("mIoU", "max")
    callback.disable()
    assert validate(callback, mIoU=0.9) == ""


@pytest.mark.parametrize("sanity_checking", [True, False])
def test_a_metric_that_is_none_is_refused_as_early_as_possible(sanity_checking):
    results = {"mIoU": 0.5, "mAcc": 0.6, "IoU/wall": 0.7}
    with pytest.raises(
        UserError, match=r"monitor\.metric is 'miou', which the metrics do not have; use one of mIoU, mAcc\.$"
    ):
        validate(progress_of("miou", "max"), sanity_checking=sanity_checking, **results)


def test_a_class_may_be_monitored():
    assert "val IoU/wall 0.7000" in validate(progress_of("IoU/wall", "max"), **{"mIoU": 0.5, "IoU/wall": 0.7})


def test_an_evaluation_needs_no_monitored_metric():
    assert validate(progress_of("rmse", "min"), fn="validate", mIoU=0.5) == ""


def test_a_mode_is_max_or_min():
    with pytest.raises(UserError, match=r"monitor\.mode is 'maximum'; use max or min\.$"):
        RunProgress(monitor={"metric": "mIoU", "mode": "maximum"})
