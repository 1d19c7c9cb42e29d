"""The model folder: the network in its formats, and the card that describes it and verifies the files.

    model/
      model.keras   the network as trained       model.onnx   what the scorer runs
      model.npz     only dense layers: their weights; the scorer runs these instead, faster
      model.tflite  for phones and boards        model.int8.tflite   quantised, on request
      history.csv   metrics by epoch             curves.png   the same as a plot
      NOT_BLESSED   only if the model failed its quality gate: why
      model.json    the card: provenance, metrics, SHA-256 of each file and of the card itself, golden rows

The card is written last and read first. Digests detect damage and mix-ups, not attacks, so the card's content is
checked as untrusted input, and the golden rows test the network itself. `predictor_of` selects what runs it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol, Self

import numpy as np

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.documents.checking import check_document, parse_json
from job.documents.model_json import Card, CardContent, TrainedCard
from job.errors import ModelInvalid
from job.flag_names import Flag
from job.model.bounds import MAX_FILE_BYTES
from job.model.dense import ARITHMETIC, DensePredictor
from job.model.onnx_adapter import OnnxAdapter, identity_of
from job.model.trial import tried
from job.storage import CheckStop, Storage, join, never_stop

CARD_NAME: Final = "model.json"
KERAS_NAME: Final = "model.keras"
ONNX_NAME: Final = "model.onnx"
DENSE_NAME: Final = "model.npz"
TFLITE_NAME: Final = "model.tflite"
INT8_NAME: Final = "model.int8.tflite"
HISTORY_NAME: Final = "history.csv"
CURVES_NAME: Final = "curves.png"
MARKER_NAME: Final = "NOT_BLESSED"
# 2: the card carries its own digest.
FORMAT: Final = 2
# Rounding differs between processors; a wrong or damaged network differs far more.
GOLDEN_TOLERANCE: Final = 1e-4
FILE_NAMES: Final = (KERAS_NAME, ONNX_NAME, DENSE_NAME, TFLITE_NAME, INT8_NAME, HISTORY_NAME, CURVES_NAME)
# A card of a thousand epochs takes 2 % of this.
_MAX_CARD_BYTES: Final = 16 << 20
_DIGEST: Final = "sha256"
# Digests of the models that have ended well in a process of their own.
_TRIED: Final[set[str]] = set()


class Predictor(Protocol):
    """A network ready to run."""

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10), each row summing to 1."""
        ...


@dataclass(frozen=True)
class Golden:
    """A few images and the network's probabilities for them when it was saved.

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
        """The inverse of `to_json`. Raises KeyError, ValueError or TypeError for any other content."""
        pixels = np.frombuffer(base64.b64decode(content["pixels"], validate=True), np.uint8).reshape(-1, PIXELS)
        probabilities = np.array(content["probabilities"], np.float32).reshape(len(pixels), CLASSES)
        return cls(pixels, probabilities)


@dataclass(frozen=True)
class Bundle:
    """An opened and verified model folder.

    digest: the model's identity, see `_identity`. about: the whole card. files: the content of each file that the card
    lists, by name.
    """

    path: str
    digest: str
    about: dict[str, Any]
    golden: Golden
    files: Mapping[str, bytes]

    @property
    def onnx(self) -> bytes:
        """The content of model.onnx."""
        return self.files[ONNX_NAME]

    @property
    def dense(self) -> bytes | None:
        """The content of model.npz; None if the network has other than dense layers."""
        return self.files.get(DENSE_NAME)

    @property
    def adapter(self) -> OnnxAdapter | None:
        """How model.onnx is fed if it is from elsewhere."""
        found = self.about.get("adapter")
        return None if found is None else OnnxAdapter.from_json(found)

    @property
    def name(self) -> str:
        """The model's name, from the card."""
        return str(self.about.get("name", ""))

    @property
    def network_path(self) -> str:
        """The file that the scorer runs."""
        return join(self.path, _network_name(self.files))

    def check(self, predictor: Predictor) -> None:
        """Raise ModelInvalid unless `predictor` reproduces the probabilities of the golden rows."""
        self.check_answers(predictor.predict(self.golden.pixels), self.network_path)

    def check_answers(self, found: Probabilities, path: str) -> None:
        """The same for probabilities found for the golden rows, float32 (n, 10). path: of the network, for errors."""
        difference = float(np.abs(found - self.golden.probabilities).max())
        if not difference <= GOLDEN_TOLERANCE:
            raise ModelInvalid(
                f"{path}: its probabilities for the golden rows in {CARD_NAME} differ by up to {difference:.2g} "
                f"(allowed: {GOLDEN_TOLERANCE:g}): one of the two files belongs to another model; train it again"
            )


def write_card(storage: Storage, folder: str, about: CardContent | TrainedCard, golden: Golden) -> str:
    """Write the card of a folder whose other files are complete, and return the model's identity.

    about: the card's sections, apart from format, files, golden rows and digest.
    """
    names = [name for name in FILE_NAMES if storage.stat(join(folder, name))]
    files = {name: _sha256(storage.read(join(folder, name))) for name in names}
    card = {"format": FORMAT, **about, "files": files, "golden": golden.to_json()}
    content = json.dumps({**card, _DIGEST: card_digest(card)}, indent=2).encode() + b"\n"
    storage.write(join(folder, CARD_NAME), content)
    return _identity(files, card)


def card_digest(card: dict[str, Any]) -> str:
    """SHA-256 of a card without its digest, as JSON with sorted keys and without spaces."""
    content = {name: value for name, value in card.items() if name != _DIGEST}
    return _sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def mark(storage: Storage, folder: str, shortfalls: Sequence[str]) -> None:
    """Mark a model folder as not blessed, with the reasons; the card says so, too."""
    storage.write(join(folder, MARKER_NAME), "".join(f"{each}\n" for each in shortfalls).encode())


def is_blessed(storage: Storage, folder: str) -> bool:
    """Whether a folder holds a model that has not been marked as not blessed."""
    return storage.stat(join(folder, CARD_NAME)) is not None and storage.stat(join(folder, MARKER_NAME)) is None


def open_bundle(storage: Storage, location: str, *, allows_unblessed: bool = False) -> Bundle:
    """Read and verify a model folder.

    Raises ModelInvalid with the name of the file that is missing, damaged or unknown, and for a model that is not
    blessed, unless `allows_unblessed`.
    """
    folder = storage.resolve(location)
    about, files, golden = _read_card(storage, folder)
    gate = about.get("gate") or {}
    if not allows_unblessed and (gate.get("verdict") == "not_blessed" or not is_blessed(storage, folder)):
        reasons = "; ".join(map(str, gate.get("shortfalls") or [])) or f"there is a file {MARKER_NAME}"
        raise ModelInvalid(
            f"{folder}: the model is not blessed: {reasons}; train a better one, or add {Flag.ALLOW_UNBLESSED}"
        )
    contents = {name: _verified(storage, folder, name, digest) for name, digest in files.items()}
    return Bundle(folder, _identity(files, about), about, golden, contents)


def predictor_of(bundle: Bundle, check_stop: CheckStop = never_stop) -> Predictor:
    """The fastest predictor for a bundle's network.

    A network that ONNX Runtime runs is tried on the golden rows in a process of its own first, once for each digest.
    check_stop: asked during long calls. Raises ModelInvalid if the network cannot be loaded or runs for too long.
    """
    if bundle.dense is not None:
        return DensePredictor(bundle.dense, join(bundle.path, DENSE_NAME))
    from job.model.onnx_predictor import OnnxPredictor, try_network

    path = join(bundle.path, ONNX_NAME)
    if bundle.digest not in _TRIED:
        pixels = bundle.golden.to_json()["pixels"]
        adapter = bundle.about.get("adapter")
        tried(try_network, bundle.onnx, path, check_stop=check_stop, pixels=pixels, adapter=adapter)
        _TRIED.add(bundle.digest)
    return OnnxPredictor(bundle.onnx, path, bundle.adapter, check_stop)


def arithmetic_of(bundle: Bundle) -> str:
    """What else than the model decides the bytes of predictions; processes whose differ must not share a run."""
    if bundle.dense is not None:
        return ARITHMETIC
    from job.model.onnx_predictor import arithmetic

    return arithmetic()


def _read_card(storage: Storage, folder: str) -> tuple[dict[str, Any], dict[str, str], Golden]:
    """The card of a folder, the digests of its files, and its golden rows."""
    path = join(folder, CARD_NAME)
    found = storage.stat(path)
    if found is None:
        is_empty = storage.is_folder(folder) and not storage.list(folder)
        what = "is an empty folder" if is_empty else f"is not a model folder: it has no {CARD_NAME}"
        raise ModelInvalid(f"{folder}: {what}; {_remedy(storage, folder)}")
    if found.size > _MAX_CARD_BYTES:
        raise ModelInvalid(f"{path}: is not a model card: it has {found.size} bytes; train the model again")
    try:
        about = parse_json(storage.read(path))
        if about["format"] != FORMAT:
            raise ModelInvalid(f"{path}: has format {about['format']}, expected {FORMAT}; train the model again")
        if about[_DIGEST] != card_digest(about):
            raise ModelInvalid(
                f"{path}: its SHA-256 does not match its contents: it was changed or damaged; train the model again"
            )
        check_document(Card, about)
        files = dict(about["files"])
        golden = Golden.from_json(about["golden"])
        if about.get("adapter") is not None:
            OnnxAdapter.from_json(about["adapter"])
    # Golden probabilities may overflow a float, and sections may be nested more deeply than Python allows.
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelInvalid(f"{path}: is not a model card: {error!r:.200}; train the model again") from error
    if ONNX_NAME not in files or not len(golden.pixels):
        raise ModelInvalid(f"{path}: lists no {ONNX_NAME} or has no golden rows; train the model again")
    unknown = sorted(set(files) - set(FILE_NAMES))
    if unknown:
        raise ModelInvalid(
            f"{path}: lists {unknown[0]!r:.200}, which is none of {', '.join(FILE_NAMES)}; train the model again"
        )
    return about, files, golden


def _remedy(storage: Storage, folder: str) -> str:
    """How to get a model where there is none."""
    parent, name = str(PurePosixPath(folder).parent), PurePosixPath(folder).name
    # `Storage.commit_folder` retires a folder under this name while it replaces it.
    retired = [each for each in storage.list(parent) if each.startswith(f".{name}.") and each.endswith(".old")]
    if not retired:
        return "train one with `digit-job train`"
    return f"a training that was interrupted left it as {join(parent, retired[-1])}; rename that folder, or train again"


def _verified(storage: Storage, folder: str, name: str, digest: str) -> bytes:
    path = join(folder, name)
    found = storage.stat(path)
    if found is None:
        raise ModelInvalid(f"{path}: is missing, though {CARD_NAME} lists it; restore the model folder or train again")
    if found.size > MAX_FILE_BYTES:
        raise ModelInvalid(f"{path}: has {found.size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    content = storage.read(path)
    if _sha256(content) != digest:
        raise ModelInvalid(
            f"{path}: its SHA-256 does not match the one in {CARD_NAME}: it was changed or damaged; train again"
        )
    return content


def _network_name(files: Mapping[str, Any]) -> str:
    """The file that the scorer runs, of those in a model folder."""
    return DENSE_NAME if DENSE_NAME in files else ONNX_NAME


def _identity(files: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """The model's digest: SHA-256 over the name and digest of the file that the scorer runs, and how it is fed.

    files: digests by name. about: the card.

    The same weights, trained again, are the same model. Their history and Keras file hold the time of the training, so
    they, and all that the card says, are covered by the card's own digest instead.
    """
    name = _network_name(files)
    return _sha256(f"{name} {files[name]}\n{identity_of(about.get('adapter'))}".encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
