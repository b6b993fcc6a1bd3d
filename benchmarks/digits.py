"""Writes scikit-learn's 1,797 handwritten digits as one folder per class: `uv run
python benchmarks/digits.py FOLDER`.

Every fifth digit goes to FOLDER/val, the others to FOLDER/train, as 32 x 32 PNG files.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    root = parser.parse_args().folder
    digits = load_digits()
    for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = root / ("val" if index % 5 == 0 else "train") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(np.uint8(image * 255 / 16))  # 8 x 8, values 0 to 16
        pixels.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{index:04d}.png")
    print(f"wrote {len(digits.target):,} digits to {root}")


if __name__ == "__main__":
    main()
