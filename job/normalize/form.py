"""How the images of one file are brought to MNIST's form: a `Form`, which `decision` settles and `score` applies."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from job.contract import PIXELS, SIDE, Pixels
from job.documents.report_json import FormDocument
from job.normalize.mnist_form import to_mnist_form

_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class Form:
    """What is done to each image of a file, in this order; nothing by default.

    is_transposed: lines become columns. paper, ink: the stored values that become 0 and 255; what lies between them is
    in proportion, so that paper above ink inverts. is_centred: see `mnist_form`.
    """

    is_transposed: bool = False
    paper: int = 0
    ink: int = _WHITE
    is_centred: bool = False

    @property
    def is_as_stored(self) -> bool:
        """Whether images stay as they are, bit for bit."""
        return self == AS_STORED

    @property
    def is_inverted(self) -> bool:
        """Whether digits are stored dark on light."""
        return self.paper > self.ink

    def apply(self, pixels: Pixels) -> Pixels:
        """Uint8 (n, 784) -> uint8 (n, 784). Depends on nothing but the image, and not on the processor."""
        if self.is_transposed:
            pixels = transposed(pixels)
        if (self.paper, self.ink) == (_WHITE, 0):
            pixels = ~pixels
        elif (self.paper, self.ink) != (0, _WHITE):
            pixels = self._levels()[pixels]
        return to_mnist_form(pixels) if self.is_centred else pixels

    def to_json(self) -> FormDocument:
        """As documents and fingerprints hold it."""
        return {
            "transposed": self.is_transposed,
            "inverted": self.is_inverted,
            "paper": self.paper,
            "ink": self.ink,
            "centred": self.is_centred,
        }

    def __str__(self) -> str:
        """In words, for logs and pages."""
        done = []
        if self.is_transposed:
            done.append("transposed")
        if self.is_inverted:
            done.append("inverted")
        if {self.paper, self.ink} != {0, _WHITE}:
            done.append(f"stretched from {self.paper}-{self.ink} to 0-255")
        if self.is_centred:
            done.append("brought to MNIST's form")
        return ", ".join(done) or "as stored"

    def _levels(self) -> Pixels:
        """What becomes of each stored value: uint8 (256,)."""
        values = (np.arange(_WHITE + 1) - self.paper) * _WHITE / (self.ink - self.paper)
        levels: Pixels = np.clip(np.rint(values), 0, _WHITE).astype(np.uint8)
        return levels


AS_STORED: Final = Form()


def form_of(document: FormDocument) -> Form:
    """The inverse of `Form.to_json`."""
    return Form(document["transposed"], document["paper"], document["ink"], document["centred"])


def transposed(pixels: Pixels) -> Pixels:
    """Images uint8 (n, 784) with lines and columns exchanged."""
    return np.ascontiguousarray(pixels.reshape(-1, SIDE, SIDE).swapaxes(1, 2)).reshape(-1, PIXELS)
