"""The model folder: the saved network in its formats, and the card that says what it is and proves it unchanged.

    model/
      model.keras   the source of truth          model.onnx   what the scorer runs
      model.json    the card: provenance, metrics, SHA-256 of each file, golden rows

The card is written last and read first. Nothing here runs a network: see `predictor`.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.errors import ModelInvalid
from job.storage import Storage, join

CARD_NAME: Final = "model.json"
KERAS_NAME: Final = "model.keras"
ONNX_NAME: Final = "model.onnx"
FORMAT: Final = 1
# Another processor's vector units may round differently; a wrong or damaged network is off by far more.
GOLDEN_TOLERANCE: Final = 1e-4


class Predictor(Protocol):
    """A network ready to run."""

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10), each row summing to 1."""
        ...


@dataclass(frozen=True)
class Golden:
    """A few images and what the network said of them when it was saved.

    pixels: uint8 (n, 784). probabilities: float32 (n, 10).
    """

    pixels: Pixels
    probabilities: Probabilities

    def to_json(self) -> dict[str, Any]:
        """Pixels as base64, probabilities as numbers."""
        return {
            "pixels": base64.b64encode(self.pixels.tobytes()).decode(),
            "probabilities": [[float(value) for value in row] for row in self.probabilities],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Raises KeyError, ValueError or TypeError where the content is not a golden section."""
        pixels = np.frombuffer(base64.b64decode(content["pixels"], validate=True), np.uint8).reshape(-1, PIXELS)
        probabilities = np.array(content["probabilities"], np.float32).reshape(len(pixels), CLASSES)
        return cls(pixels, probabilities)


@dataclass(frozen=True)
class Bundle:
    """An opened and verified model folder.

    digest: SHA-256 over the names and digests of its files; it changes when any of them does.
    about: the whole card, for reports.
    """

    path: str
    digest: str
    about: dict[str, Any]
    golden: Golden
    onnx: bytes

    @property
    def name(self) -> str:
        """The model's name, from the card."""
        return str(self.about.get("name", ""))

    def check(self, predictor: Predictor) -> None:
        """Raise ModelInvalid unless the network says of the golden rows what it said when it was saved."""
        found = predictor.predict(self.golden.pixels)
        difference = float(np.abs(found - self.golden.probabilities).max())
        if not difference <= GOLDEN_TOLERANCE:
            raise ModelInvalid(
                f"{join(self.path, ONNX_NAME)}: its answers to the golden rows are off by up to {difference:.2g} "
                f"(allowed: {GOLDEN_TOLERANCE:g}); the card belongs to another model: train it again"
            )


def write_card(storage: Storage, folder: str, about: dict[str, Any], golden: Golden) -> None:
    """Write the card of a folder whose model files are all there. `about` is what the card says besides."""
    files = {name: _sha256(storage.read(join(folder, name))) for name in (KERAS_NAME, ONNX_NAME)}
    card = {"format": FORMAT, **about, "files": files, "golden": golden.to_json()}
    with storage.commit(join(folder, CARD_NAME)) as file:
        file.write(json.dumps(card, indent=2).encode() + b"\n")


def open_bundle(storage: Storage, location: str) -> Bundle:
    """Read and verify a model folder. Raises ModelInvalid, naming the file that is missing, damaged or foreign."""
    folder = storage.resolve(location)
    card_path = join(folder, CARD_NAME)
    if storage.stat(card_path) is None:
        raise ModelInvalid(f"{folder}: is not a model folder: it has no {CARD_NAME}; train one with `digit-job train`")
    try:
        about = json.loads(storage.read(card_path))
        if about["format"] != FORMAT:
            raise ModelInvalid(f"{card_path}: has format {about['format']}, expected {FORMAT}; train the model again")
        files = {str(name): str(digest) for name, digest in about["files"].items()}
        golden = Golden.from_json(about["golden"])
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise ModelInvalid(f"{card_path}: is not a model card: {error!r}; train the model again") from error
    if ONNX_NAME not in files or not len(golden.pixels):
        raise ModelInvalid(f"{card_path}: names no {ONNX_NAME} or has no golden rows; train the model again")
    contents = {name: _verified(storage, folder, name, digest) for name, digest in files.items()}
    listing = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return Bundle(folder, _sha256(listing.encode()), about, golden, contents[ONNX_NAME])


def _verified(storage: Storage, folder: str, name: str, digest: str) -> bytes:
    path = join(folder, name)
    if storage.stat(path) is None:
        raise ModelInvalid(f"{path}: is missing, though {CARD_NAME} lists it: restore the model folder or train again")
    content = storage.read(path)
    if _sha256(content) != digest:
        raise ModelInvalid(f"{path}: its SHA-256 is not the one in {CARD_NAME}; it was changed or damaged: train again")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
