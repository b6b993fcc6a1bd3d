"""python eval.py checkpoint=logs/segmentation/.../checkpoints/best.ckpt"""

from pvtseg.cli.evaluate import main

if __name__ == "__main__":
    main()
