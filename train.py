"""python train.py task=segmentation backbone=b0"""

from pvtseg.cli.train import main

if __name__ == "__main__":
    main()
