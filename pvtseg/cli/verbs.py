"""`pvtseg VERB key=value ...`: every command under one name."""

import sys
from importlib import import_module

VERBS = {
    "train": ("pvtseg.cli.train", "train a model: pvtseg train task=segmentation backbone=b0"),
    "eval": ("pvtseg.cli.evaluate", "evaluate a checkpoint: pvtseg eval checkpoint=SOURCE"),
    "convert": ("pvtseg.cli.convert", "write weights in another format: pvtseg convert source=SOURCE layout=timm output=FOLDER"),
    "download": ("pvtseg.cli.download", "fetch a data set, or say how to get it: pvtseg download data=ade20k"),
    "verify": ("pvtseg.cli.verify", "look for what would go wrong with data: pvtseg verify data=folder data.root=FOLDER"),
    "benchmark": ("pvtseg.cli.benchmark", "time and memory of a model: pvtseg benchmark checkpoint=SOURCE"),
}


def main() -> None:
    """Hands over to the verb; without one, says which there are."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in VERBS:
        sys.argv = [f"pvtseg {verb}", *sys.argv[2:]]
        import_module(VERBS[verb][0]).main()
        return
    print("usage: pvtseg VERB key=value ...\n")
    for name, (_, description) in VERBS.items():
        print(f"  {name:10} {description}")
    if verb not in ("-h", "--help"):
        sys.exit(f"\nthere is no verb '{verb}'; use one of {', '.join(VERBS)}.")
