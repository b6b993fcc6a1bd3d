"""python train.py task=segmentation backbone=b0"""

from pvtseg.cli.verbs import start

if __name__ == "__main__":
    start("train")
