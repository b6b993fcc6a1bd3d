"""Keeps what libraries say about themselves out of a run's output."""

import logging
import warnings

CHATTER = [
    r".*does not have many workers.*",  # the number is the user's choice
    r".*The number of training batches.*is smaller than the logging interval.*",
    r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run's own
    r".*Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`.*",  # mixed precision skips steps
    r".*isinstance\(treespec, LeafSpec\).*",
    r"Grad strides do not match bucket view strides",  # of depth-wise weights, whose one input channel has any stride
    r".*You're resuming from a checkpoint that ended before the epoch ended.*",  # the sampler goes on where it stopped
]


def quieten() -> None:
    """Lets warnings and errors through, except those in CHATTER; drops the rest."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in CHATTER:
        warnings.filterwarnings("ignore", message=message)
