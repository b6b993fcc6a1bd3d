"""The default of `task=` for commands about data alone: the only task that the data has labels for."""

from pvtseg.paths import config_dir


def name_the_only_task(arguments: list[str]) -> None:
    """Appends task=NAME to a command line that has data=... and no task=..., if that data is for one task."""
    given = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    if "task" in given or "experiment" in given or "data" not in given:
        return
    tasks = [path.stem for path in (config_dir() / "data" / given["data"]).glob("*.yaml")]
    if len(tasks) == 1:
        arguments.append(f"task={tasks[0]}")
