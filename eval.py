"""python eval.py checkpoint=logs/segmentation/RUN/checkpoints/best.ckpt"""

from pvtseg.cli.verbs import start

if __name__ == "__main__":
    start("eval")
