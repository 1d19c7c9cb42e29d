"""A stand-in until `job.normalize` is merged."""

import numpy as np

from job.contract import PIXELS, SIDE, Pixels

BOX_SIDE = 20
INK_PART = 8


def form_of_ink(ink: Pixels) -> Pixels:
    """One picture of any size in MNIST's form."""
    result = np.zeros((SIDE, SIDE), np.uint8)
    if not ink.any():
        return result.reshape(PIXELS)
    is_ink = ink >= max(1, int(ink.max()) // INK_PART)
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    longer = max(crop.shape)
    sizes = [max(1, (2 * BOX_SIDE * side + longer) // (2 * longer)) for side in crop.shape]
    box = _weights(crop.shape[0], sizes[0]) @ crop @ _weights(crop.shape[1], sizes[1]).T
    total = box.sum()
    starts = []
    for axis, size in enumerate(sizes):
        centre = (box.sum(axis=1 - axis) * (np.arange(size) + 0.5)).sum() / total
        starts.append(int(min(max(round(SIDE / 2 - centre), 0), SIDE - size)))
    result[starts[0] : starts[0] + sizes[0], starts[1] : starts[1] + sizes[1]] = np.rint(np.clip(box, 0, 255))
    return result.reshape(PIXELS)


def _weights(length: int, new: int) -> np.ndarray:
    step = length / new
    centres = (np.arange(new)[:, None] + 0.5) * step
    weights = np.maximum(1 - np.abs(np.arange(length) + 0.5 - centres) / max(step, 1), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)  # type: ignore[no-any-return]
