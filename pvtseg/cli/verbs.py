"""The verbs of the command line, and the function that starts one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from pvtseg.cli.app import run
from pvtseg.cli.from_checkpoint import with_its_task
from pvtseg.cli.only_task import with_the_only_task
from pvtseg.cli.usage import usage


@dataclass(frozen=True)
class Verb:
    """A command: the job that it runs, imported when it starts, and the configuration
    that the job gets.

    job: module:function. complete: adds to the arguments what they leave to be found
    out, before Hydra reads them.
    """

    job: str
    config: str
    summary: str
    complete: Callable[[Sequence[str]], list[str]] = list


VERBS = {
    "train": Verb("pvtseg.cli.train:train", "train", "train a model"),
    "eval": Verb("pvtseg.cli.evaluate:evaluate", "eval", "evaluate a checkpoint", with_its_task),
    "convert": Verb("pvtseg.cli.convert:convert", "convert", "write weights in another format"),
    "download": Verb(
        "pvtseg.cli.download:download", "download", "fetch a data set, or say how to get it", with_the_only_task
    ),
    "verify": Verb("pvtseg.cli.verify:verify", "verify", "look for what would go wrong with data", with_the_only_task),
    "benchmark": Verb(
        "pvtseg.cli.benchmark:benchmark", "benchmark", "measure time and memory of a model", with_its_task
    ),
}


def main() -> None:
    """`pvtseg VERB key=value ...`; without a verb, lists them."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name == "--version":
        print(f"pvtseg {_version()}")
    elif name in ("-h", "--help"):
        print(_overview())
    elif name in VERBS:
        start(name, sys.argv[2:])
    else:
        sys.exit(f"{_overview()}\n\nerror: there is no verb '{name}'; use one of {', '.join(VERBS)}.")


def start(name: str, arguments: Sequence[str] | None = None) -> None:
    """Runs one verb with these arguments, by default with those of a script such as
    train.py.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verb = VERBS[name]
    if "--version" in arguments:
        print(f"pvtseg {_version()}")
    elif "--help" in arguments or "-h" in arguments:
        print(usage(name, verb.config, verb.summary))
    else:
        run(verb.job, verb.config, arguments, complete=verb.complete)


def _overview() -> str:
    lines = [f"  {name:10} {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: pvtseg VERB key=value ...",
            "",
            *lines,
            "",
            "pvtseg VERB --help lists the keys of a verb; pvtseg --version",
        ]
    )


def _version() -> str:
    try:
        return version("pvtseg")
    except PackageNotFoundError:  # a checkout on PYTHONPATH that was never installed
        return "unknown (not installed)"
