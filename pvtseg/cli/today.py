"""Stands in until the core's build.py is merged."""

from pvtseg.build import MODEL_KEYS, TASK_KEYS

PART_KEYS = MODEL_KEYS | TASK_KEYS | {"data"}


def task_name(config):
    task = config.get("task", {})
    return task.get("name") or task.get("_target_", "").rpartition(".")[2].lower()


def monitor(config):
    found = config["monitor"]
    return (found, "max") if isinstance(found, str) else (found["metric"], found["mode"])


def per_class(metrics, results):
    found = getattr(metrics, "per_class", None)
    return found if found is not None else {name: name.partition("/")[2] for name in results if "/" in name and not name.startswith("aligned")}
