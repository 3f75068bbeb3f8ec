"""Small synthetic images that can be told apart, as examples and as files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image

from distillery.data import preparation
from distillery.nouns import Dataset
from distillery.recipe import Data
from distillery.runtimes.images import Image

LABELS = ("north", "east", "south", "west")
SIZE = 8


def pictures(count: int, *, seed: int = 0, channels: int = 1) -> tuple[list[Image], list[int]]:
    """Noise with one bright edge each; labels in turn."""
    generator = np.random.default_rng(seed)
    images, labels = [], []
    for i in range(count):
        pixels = generator.integers(0, 120, (SIZE, SIZE, channels), dtype=np.uint8)
        bright = np.rot90(pixels, i % len(LABELS))
        bright[:2] = generator.integers(170, 256, (2, SIZE, channels), dtype=np.uint8)
        images.append(Image(pixels))
        labels.append(i % len(LABELS))
    return images, labels


def png(image: Image) -> bytes:
    with io.BytesIO() as file:
        PIL.Image.fromarray(image.pixels.squeeze()).save(file, format="PNG")
        return file.getvalue()


def write_split(path: Path, files: Sequence[bytes | None], labels: Sequence[int]) -> None:
    """A Parquet file as the hub keeps them."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABELS))}
    )
    values = [None if file is None else {"bytes": file, "path": None} for file in files]
    columns: dict[str, Any] = {"image": values, "label": list(labels)}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)


def write_source(folder: Path, *, train: int = 80, test: int = 24, channels: int = 1) -> Path:
    """A folder with a training and a test split."""
    for name, count, seed in (("train", train, 1), ("test", test, 2)):
        images, labels = pictures(count, seed=seed, channels=channels)
        write_split(folder / f"{name}.parquet", [png(image) for image in images], labels)
    return folder


def make_dataset(folder: Path, **sizes: int) -> Dataset:
    """Prepared and stored."""
    data = Data(source=str(write_source(folder, **sizes)), image="image")
    return preparation.store(preparation.load(data), data, "pictures")
