"""Digits as arrays, and as files of every format."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PIXEL_NAMES = [f"pixel{index}" for index in range(784)]


@dataclass(frozen=True)
class Digits:
    """pixels: uint8 (n, 784), four in five of them 0 as in MNIST. labels: int8 (n,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, rows):
        return Digits(self.pixels[rows], self.labels[rows])


def make_digits(rows, seed=0):
    """Random pixels and labels, the same for the same seed."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (rows, 784), dtype=np.uint8)
    pixels[random.random((rows, 784)) < 0.8] = 0
    return Digits(pixels, random.integers(0, 10, rows, dtype=np.int8))


def csv_lines(digits, *, has_labels=True):
    """The rows as lines without line ends."""
    rows = np.column_stack([digits.labels, digits.pixels]) if has_labels else digits.pixels
    return [",".join(map(str, row)) for row in rows.tolist()]


def csv_text(digits, *, has_header=True, has_labels=True):
    """The content of a CSV file."""
    header = [",".join(["label"] * has_labels + PIXEL_NAMES)] if has_header else []
    return "".join(line + "\n" for line in header + csv_lines(digits, has_labels=has_labels))


def write_csv(path, digits, *, has_header=True, has_labels=True):
    """Write a CSV file; returns its path."""
    Path(path).write_text(csv_text(digits, has_header=has_header, has_labels=has_labels))
    return path


def write_parquet(path, digits, *, row_group_size=None, has_labels=True):
    """Write a Parquet file of 784 uint8 columns and a label; returns its path."""
    columns = {"label": digits.labels} if has_labels else {}
    columns |= {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def write_idx(folder, digits, *, prefix="t10k", is_compressed=False, has_labels=True):
    """Write MNIST's two IDX files, with MNIST's names; returns the path of the images."""
    pack = gzip.compress if is_compressed else bytes
    suffix = ".gz" if is_compressed else ""
    images = Path(folder) / f"{prefix}-images-idx3-ubyte{suffix}"
    header = struct.pack(">IIII", 0x803, len(digits), 28, 28)
    images.write_bytes(pack(header + digits.pixels.tobytes()))
    if has_labels:
        labels = Path(folder) / f"{prefix}-labels-idx1-ubyte{suffix}"
        labels.write_bytes(pack(struct.pack(">II", 0x801, len(digits)) + digits.labels.tobytes()))
    return images


def read_mnist(folder, prefix):
    """One of MNIST's two sets, `train` or `t10k`, from its IDX files."""
    images = gzip.decompress((Path(folder) / f"{prefix}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((Path(folder) / f"{prefix}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)
    return Digits(pixels, np.frombuffer(labels, np.uint8, offset=8).astype(np.int8))
