"""From a node of the configuration to its object; errors name the full key."""

from __future__ import annotations

import re

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from pvtseg.errors import UserError
from pvtseg.inference.flip import Flip
from pvtseg.inference.sliding_window import SlidingWindow
from pvtseg.inference.whole import Whole
from pvtseg.instantiate import check_numbers, instantiate_node, make, partial_node
from pvtseg.model import Model

WHOLE = {"_target_": "pvtseg.inference.whole.Whole"}
WINDOWS = {"_target_": "pvtseg.inference.sliding_window.SlidingWindow", "window": 32, "stride": 16}
ADAMW = {"_target_": "pvtseg.optim.groups.adamw", "lr": 1e-3}


def flip_of(each):
    return {"_target_": "pvtseg.inference.flip.Flip", "each": each}


def refused(node, key, *parts, **named_parts):
    """The message, which is one line with one full stop at the end."""
    with pytest.raises(UserError) as caught:
        instantiate_node(node, key, *parts, **named_parts)
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(r"[^.]\.$", message)
    return message


def test_a_node_becomes_its_object_with_nested_nodes_first():
    inference = instantiate_node(flip_of({**WINDOWS, "grid": 1}), "inference")
    assert isinstance(inference, Flip)
    assert isinstance(inference.each, SlidingWindow)
    assert (inference.each.window, inference.each.grid) == ((32, 32), 1)


def test_lists_and_mappings_arrive_as_plain_python():
    node = OmegaConf.create({"_target_": "builtins.dict", "sides": [1, [2]], "by_name": {"a": 1}})
    found = instantiate_node(node, "x")
    assert found == {"sides": [1, [2]], "by_name": {"a": 1}}
    assert (type(found["sides"]), type(found["by_name"])) == (list, dict)


def test_the_parts_come_before_the_values_of_the_node():
    head = instantiate_node({"_target_": "pvtseg.heads.linear.LinearHead", "num_classes": 4}, "head", (8, 16))
    assert head.classify.weight.shape == (4, 16)


def test_a_partial_node_waits_for_its_parts():
    make_optimizer = partial_node(ADAMW, "optimizer")
    optimizer = make_optimizer(Model(nn.Linear(2, 3), nn.Linear(3, 4)))
    assert type(optimizer) is torch.optim.AdamW
    assert {group["lr"] for group in optimizer.param_groups} == {1e-3}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({**ADAMW, "lr": "abc"}, "optimizer.lr is 'abc'; expected a number, such as optimizer.lr=0.5."),
        ({**ADAMW, "lr": None}, "optimizer.lr is null; expected a number, such as optimizer.lr=0.5."),
        ({**ADAMW, "lr": True}, "optimizer.lr is True; expected a number, such as optimizer.lr=0.5."),
        ({**ADAMW, "lr": [1e-3]}, "optimizer.lr is [0.001]; expected a number, such as optimizer.lr=0.5."),
    ],
)
def test_a_value_that_is_no_number_is_refused_before_the_parts_are_there(node, message):
    with pytest.raises(UserError, match=re.escape(message)):
        partial_node(node, "optimizer")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {**WINDOWS, "batch_size": 1.5},
            "inference.batch_size is 1.5; expected a whole number, such as inference.batch_size=1.",
        ),
        (
            flip_of({**WINDOWS, "batch_size": "many"}),
            "inference.each.batch_size is 'many'; expected a whole number, such as inference.each.batch_size=1.",
        ),
    ],
)
def test_a_value_that_is_no_whole_number_is_named_with_its_full_key(node, message):
    assert refused(node, "inference") == message


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("whole", [0, -3], [None, 1.0, "1", True, [1], {"a": 1}]),
        ("whole_or_none", [0, None], [1.0, "1", False]),
        ("real", [1, 0.5, -1e9], [None, "0.5", True, [0.5]]),
        ("real_or_none", [1, 0.5, None], ["null", True]),
        ("anything", [None, 1.5, "text", True, [1]], []),
    ],
)
def test_numbers_are_checked_by_what_the_constructor_says(name, good, bad, tmp_path, monkeypatch):
    (tmp_path / "numbers_of_every_kind.py").write_text(
        "def part(whole: int, whole_or_none: int | None, real: float, real_or_none: float | None, anything): ..."
    )
    monkeypatch.syspath_prepend(tmp_path)
    node = {"_target_": "numbers_of_every_kind.part"}
    check_numbers(node, "x")
    for value in good:
        check_numbers({**node, name: value}, "x")
    for value in bad:
        with pytest.raises(UserError, match=rf"^x\.{name} is .*; expected a (whole )?number"):
            check_numbers({**node, name: value}, "x")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({**WINDOWS, "step": 3}, "SlidingWindow has no option 'step' (inference.step); correct or remove it."),
        (flip_of({**WHOLE, "size": 3}), "Whole has no option 'size' (inference.each.size); correct or remove it."),
        (
            flip_of(flip_of({**WHOLE, "size": 3})),
            "Whole has no option 'size' (inference.each.each.size); correct or remove it.",
        ),
    ],
)
def test_an_unexpected_argument_is_named_with_its_full_key(node, message):
    assert refused(node, "inference") == message


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"_target_": WINDOWS["_target_"], "window": 32},
            "SlidingWindow needs 'stride', which the configuration does not give; set it under inference.",
        ),
        (
            flip_of({"_target_": WINDOWS["_target_"], "window": 32}),
            "SlidingWindow needs 'stride', which the configuration does not give; set it under inference.each.",
        ),
    ],
)
def test_a_missing_argument_is_named(node, message):
    assert refused(node, "inference") == message


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("pvtseg.inference.whole.Nothing", "has no attribute 'Nothing'"),
        ("pvtseg.nothing.Whole", "has no attribute 'nothing'"),
        ("no_such_package.whole.Whole", "No module named 'no_such_package'"),
        ("Whole", "invalid format"),
        (3, "invalid format"),
    ],
)
def test_a_target_that_cannot_be_imported_is_named_with_its_full_key(target, reason, caplog):
    for node, key in (({"_target_": target}, "inference"), (flip_of({"_target_": target}), "inference.each")):
        message = refused(node, "inference")
        assert message.startswith(f"{key}._target_ is {target!r}, which cannot be imported (")
        assert reason in message
        assert message.endswith("; correct the name, or install its package.")
    assert caplog.text == ""


def test_a_package_that_a_target_needs_is_named(tmp_path, monkeypatch):
    (tmp_path / "needs_a_package.py").write_text("import no_such_package\n\nclass Part: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "(No module named 'no_such_package')" in refused({"_target_": "needs_a_package.Part"}, "head")


def test_a_target_may_be_a_method_of_a_class():
    assert instantiate_node({"_target_": "builtins.dict.fromkeys"}, "x", ["a"]) == {"a": None}


@pytest.mark.parametrize("node", [None, 3, "whole", {"window": 32}])
def test_a_node_that_is_no_part_is_refused(node):
    shown = "null" if node is None else re.escape(repr(node))
    assert re.match(
        rf"callbacks\.progress is {shown}; expected a part, .*'~callbacks\.progress'",
        refused(node, "callbacks.progress"),
    )


def test_what_a_part_refuses_is_said_in_its_own_words():
    assert refused({**WINDOWS, "stride": 33}, "inference").startswith(
        "inference.stride=33 leaves gaps between windows of 32;"
    )
    assert refused(flip_of({**WINDOWS, "stride": 33}), "inference").startswith(
        "inference.stride=33 leaves gaps between windows of 32;"
    )


def test_any_other_failure_names_the_key():
    message = refused({"_target_": "builtins.int", "x": "abc"}, "head")
    assert message.startswith("head cannot be built from its values: ")


def test_several_parts_by_name_are_each_what_they_are_alone():
    found = make({"a": WHOLE, "b": flip_of(WHOLE)}, "inference", several=dict)
    assert {name: type(part) for name, part in found.items()} == {"a": Whole, "b": Flip}
    assert isinstance(make(WHOLE, "inference", several=dict), Whole)


def test_several_parts_get_the_same_parts_beside_their_values():
    node = {
        name: {"_target_": "pvtseg.heads.linear.LinearHead", "num_classes": count}
        for name, count in (("a", 3), ("b", 5))
    }
    heads = make(node, "head", (8, 16), several=nn.ModuleDict)
    assert {name: tuple(head.classify.weight.shape) for name, head in heads.items()} == {"a": (3, 16), "b": (5, 16)}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"a": WHOLE, "b": {**WHOLE, "size": 3}}, r"^Whole has no option 'size' \(inference\.b\.size\)"),
        ({"a": WHOLE, "b": {**WINDOWS, "batch_size": "x"}}, r"^inference\.b\.batch_size is 'x'"),
        ({"a": WHOLE, "b": 3}, r"^inference\.b is 3; expected a part"),
        (None, r"^inference is null; expected a part"),
        ("whole", r"^inference is 'whole'; expected a part"),
    ],
)
def test_what_is_wrong_with_one_of_several_is_named_with_its_full_key(node, message):
    with pytest.raises(UserError, match=message):
        make(node, "inference", several=dict)
