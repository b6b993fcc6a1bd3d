"""The default of `task=` for commands about data alone: the only task that the data has
targets for.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvtseg.paths import config_dir


def with_the_only_task(arguments: Sequence[str]) -> list[str]:
    """The arguments, and task=NAME where they have data=... without task=... and that
    data is for one task.
    """
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if "task" in given or "experiment" in given or "data" not in given:
        return list(arguments)
    tasks = [path.stem for path in (config_dir() / "data" / given["data"]).glob("*.yaml")]
    return [*arguments, f"task={tasks[0]}"] if len(tasks) == 1 else list(arguments)
