"""Learning-rate curves against the formulas of the papers' code."""

import pytest
import timm.scheduler
import torch

from pvtseg.errors import UserError
from pvtseg.optim.schedules import cosine, cosine_by_epoch, one_cycle_poly, poly, poly_after_warmup

BASE = 6e-5


def curve(make, total_steps, steps, **options):
    """The learning rate at each of these steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    (factor,) = make(optimizer, total_steps, **options).lr_lambdas
    return [BASE * factor(step) for step in steps]


def test_poly_is_mmcvs_curve_at_the_steps_of_segformer():
    """mmcv 0.x: base * (1 - t / T), in the warm-up times 1 - (1 - t / W) * (1 - ratio)."""
    steps = [0, 1, 750, 1499, 1500, 80_000, 160_000]
    expected = [
        6e-5 * 1e-6,
        6e-5 * (1 - 1 / 160_000) * (1 - (1 - 1 / 1500) * (1 - 1e-6)),
        6e-5 * (1 - 750 / 160_000) * (1 - 0.5 * (1 - 1e-6)),
        6e-5 * (1 - 1499 / 160_000) * (1 - (1 - 1499 / 1500) * (1 - 1e-6)),
        6e-5 * (1 - 1500 / 160_000),
        3e-5,
        0,
    ]
    found = curve(poly, 160_000, steps, power=1.0, warmup_steps=1500, warmup_ratio=1e-6)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-20)


def test_poly_takes_a_power_and_a_floor():
    assert curve(poly, 100, [0, 50, 100], power=0.9) == pytest.approx([BASE, BASE * 0.5**0.9, 0])
    assert curve(poly, 100, [0, 50, 100], final_ratio=0.1) == pytest.approx([BASE, BASE * 0.55, BASE * 0.1])


def test_cosine_starts_at_the_peak_and_ends_at_its_fraction():
    assert curve(cosine, 100, [0, 25, 50, 100]) == pytest.approx(
        [BASE, BASE * (1 + 0.5**0.5) / 2, BASE / 2, 0], abs=1e-20
    )
    ends = curve(cosine, 300, [0, 5, 300], warmup_steps=5, warmup_ratio=1e-3, final_ratio=0.01)
    assert ends[0] == pytest.approx(BASE * 1e-3)
    assert ends[1] == pytest.approx(BASE, rel=1e-2)
    assert ends[2] == pytest.approx(BASE * 0.01)


@pytest.mark.parametrize("make", [poly, cosine])
def test_after_the_last_step_the_rate_stays_where_it_is(make):
    end, later = curve(make, 10, [10, 11], final_ratio=0.1)
    assert later == end


@pytest.mark.parametrize("make", [poly, cosine])
def test_the_rate_rises_through_the_warm_up_and_falls_afterwards(make):
    rates = curve(make, 100, range(101), warmup_steps=10)
    assert all(earlier < later for earlier, later in zip(rates[:10], rates[1:11], strict=True))
    assert all(earlier > later for earlier, later in zip(rates[10:-1], rates[11:], strict=True))


def test_a_scheduler_moves_every_group_by_the_same_factor():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 10.0)]
    optimizer = torch.optim.SGD(groups)
    schedule = poly(optimizer, 4)
    found = []
    for _ in range(4):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert found == [[1.0, 10.0], [0.75, 7.5], [0.5, 5.0], [0.25, 2.5]]


def test_poly_after_warmup_is_mmengines_pair_of_schedulers():
    """LinearLR(1e-6, end=1500), PolyLR(begin=1500, end=160000), as mmengine multiplies."""
    rate, expected = BASE * 1e-6, [BASE * 1e-6]
    for step in range(1, 160_000):
        if step < 1500:
            rate *= 1 + (1 - 1e-6) / (1499 * 1e-6 + (step - 1) * (1 - 1e-6))
        elif step > 1500:
            rate *= 1 - 1 / (158_499 - (step - 1500) + 1)
        expected.append(rate)
    steps = [0, 1, 750, 1499, 1500, 1501, 80_000, 159_998, 159_999]
    found = curve(poly_after_warmup, 160_000, steps, warmup_steps=1500, warmup_ratio=1e-6)
    assert found == pytest.approx([expected[step] for step in steps], rel=1e-6, abs=1e-15)
    assert curve(poly_after_warmup, 160_000, [160_000]) == [0]


def test_one_cycle_poly_is_glpns_curve():
    """3e-5 -> 1e-4 over 12 epochs of 2019 steps, back over the next 12; the 25th goes below."""
    rise = 12 * 2019
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    (factor,) = one_cycle_poly(optimizer, 25 * 2019, warmup_steps=rise).lr_lambdas
    found = [1e-4 * factor(step) for step in (0, rise // 2, rise, rise + rise // 2, 2 * rise, 25 * 2019)]
    halfway = 7e-5 * 0.5**0.9
    assert found == pytest.approx([3e-5, 3e-5 + halfway, 1e-4, 1e-4 - halfway, 3e-5, 2.48e-5], rel=2e-3)
    assert found[:5] == pytest.approx([3e-5, 3e-5 + halfway, 1e-4, 1e-4 - halfway, 3e-5], rel=1e-9)


def test_one_cycle_poly_rises_for_half_of_the_training():
    assert curve(one_cycle_poly, 100, [0, 50, 100]) == pytest.approx([0.3 * BASE, BASE, 0.3 * BASE])


def test_cosine_by_epoch_is_timms_schedule_of_pvt_v2():
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    scheduler = timm.scheduler.CosineLRScheduler(theirs, t_initial=300, lr_min=1e-5, warmup_t=5, warmup_lr_init=1e-6)
    expected = []
    for epoch in range(300):
        scheduler.step(epoch)
        expected.append(theirs.param_groups[0]["lr"])
    ours = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = cosine_by_epoch(ours, 300 * 7, num_epochs=300, warmup_epochs=5, warmup_ratio=1e-3, final_ratio=1e-2)
    (factor,) = schedule.lr_lambdas
    for epoch, rate in enumerate(expected):
        for step in (0, 3, 6):  # of the seven of an epoch
            assert 1e-3 * factor(7 * epoch + step) == pytest.approx(rate, rel=1e-9)


def test_a_curve_by_epochs_needs_epochs():
    with pytest.raises(UserError, match="trainer=epochs"):
        curve(cosine_by_epoch, 100, [0], num_epochs=-1)
