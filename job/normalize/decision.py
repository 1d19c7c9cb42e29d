"""Decides for a file, by the first of its images, how they are brought to MNIST's form; never for a single image.

Geometry proposes: where the ink lies, and which end of the scale is paper. Whether digits are transposed, `resemblance`
tells. A network, where there is one, must agree to the form: it must not be less sure of the images afterwards. What is
not certain stays as stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from job.contract import Pixels
from job.flag_names import Flag
from job.normalize.form import Form
from job.normalize.geometry import Ink, rings, specks
from job.normalize.resemblance import are_transposed
from job.settings import ReadSettings

# The mean confidence of a network, 0-1, in uint8 (n, 784) images.
Sureness = Callable[[Pixels], float]

# The first images of a file that decide.
HEAD_IMAGES: Final = 256

# Of MNIST's images 0.99995 are in its form; of those of USPS, of optdigits and of MNIST, moved by 3 pixels, 0 to 0.09.
_IN_FORM_FROM: Final = 0.5
_OUT_OF_FORM_TO: Final = 0.1
# The mean share of inked pixels that stand alone: 0.001 in MNIST and USPS, 0.02 where one pixel in a hundred is wrong.
_MAX_SPECKS: Final = 0.01
# Paper: the median of an image's outermost pixels. It is even where nearly all images have about the same.
_EVEN_SHARE: Final = 0.9
_EVEN_WITHIN: Final = 16
_DARK_PAPER: Final = 8
_LIGHT_PAPER: Final = 128
_FULL_INK: Final = 200
_LEAST_CONTRAST: Final = 64
_WHITE: Final = 255
_MAX_GRAIN: Final = 32
_GRAIN_QUANTILE: Final = 0.75
# How much less sure of images a network may be, as a share, once they are in MNIST's form. Networks are 1 to 40 points
# less sure where the form does harm (noise, blur, lines across), and never less sure by 0.4 where it helps.
_LESS_SURE: Final = 0.005
_UNEVEN: Final = "the images are not in MNIST's form, but what surrounds their ink is too uneven to be paper"


@dataclass(frozen=True, slots=True)
class FormDecision:
    """What was decided for a file. in_form: the share of its first images in MNIST's form as stored; None if all blank.

    doubt: why the images stay as they are although they are not in MNIST's form; None if there is no doubt.
    """

    form: Form
    in_form: float | None = None
    doubt: str | None = None


def expects_form(in_form: float | None) -> bool:
    """Whether a network expects images in MNIST's form: in_form, the share of its training images; None: unknown."""
    return in_form is None or in_form >= _IN_FORM_FROM


def decide(read: ReadSettings, head: Pixels, *, sureness: Sureness | None, knows_form: bool = True) -> FormDecision:
    """Decide for a file with these first images, uint8 (n, 784), which were not rejected.

    read: how they were read; what the user has settled by `is_inverted` or `is_transposed` is not decided again.
    sureness: that of the network, if there is one. knows_form: whether it was trained on images in MNIST's form; for
    another one, `auto` leaves them where they are. Depends on nothing else.
    """
    choice = read.normalize
    head = head[:HEAD_IMAGES]
    head = head[head.max(axis=1, initial=0) > head.min(axis=1, initial=255)]
    if choice == "none" or not len(head):
        return FormDecision(Form(is_centred=choice == "mnist"))
    form = _levels(head, is_inverted=read.is_inverted)
    seen = Form() if form is None else form
    head = head[seen.apply(head).any(axis=1)]
    images = seen.apply(head)
    if not read.is_transposed and are_transposed(images):
        seen = replace(seen, is_transposed=True)
        images = seen.apply(head)
    in_form = float(Ink.of(images).is_in_form.mean())
    centred = replace(seen, is_centred=True)
    if choice == "mnist":
        return FormDecision(centred, in_form)
    if not knows_form:
        return FormDecision(seen, in_form)
    # Among specks nobody can tell where the ink ends: the images may well be in MNIST's form, or no digits at all.
    if in_form >= _IN_FORM_FROM or specks(images).mean() > _MAX_SPECKS:
        return FormDecision(seen, in_form)
    doubt = _UNEVEN if form is None else _doubt(images, in_form, sureness)
    if doubt is None:
        return FormDecision(centred, in_form)
    return FormDecision(seen, in_form, f"{doubt}; they stay as stored, unless you add {Flag.NORMALIZE} mnist")


def _levels(head: Pixels, *, is_inverted: bool) -> Form | None:
    """Which stored values are paper and ink, by the outermost pixels of images; None where these are uneven."""
    papers = np.median(rings(head), axis=1)
    paper = float(np.median(papers))
    if (np.abs(papers - paper) <= _EVEN_WITHIN).mean() < _EVEN_SHARE:
        return None
    is_light = paper >= _LIGHT_PAPER and not is_inverted
    ink = float(np.median(head.min(axis=1) if is_light else head.max(axis=1)))
    # A digit covers less than half of its image; what surrounds it may be a frame instead of paper.
    is_frame = abs(float(head.mean()) - ink) < abs(float(head.mean()) - paper)
    if is_frame or abs(ink - paper) < _LEAST_CONTRAST:
        return None
    if is_light and paper >= _WHITE - _DARK_PAPER and ink <= _WHITE - _FULL_INK:
        return Form(paper=_WHITE, ink=0)
    if not is_light and paper <= _DARK_PAPER and ink >= _FULL_INK:
        return Form()
    # Grain of the paper is no ink.
    towards_ink = (paper - rings(head)) if is_light else (rings(head) - paper)
    grain = min(_MAX_GRAIN, max(0.0, float(np.quantile(towards_ink, _GRAIN_QUANTILE))))
    return Form(paper=round(paper - grain if is_light else paper + grain), ink=round(ink))


def _doubt(images: Pixels, in_form: float, sureness: Sureness | None) -> str | None:
    """Why images should not be brought to MNIST's form, although fewer than half are in it; None: no reason."""
    if in_form > _OUT_OF_FORM_TO:
        return f"only {100 * in_form:.0f} % of the first {len(images)} images are in MNIST's form"
    if sureness is None:
        return None
    before, after = sureness(images), sureness(Form(is_centred=True).apply(images))
    if after >= before - _LESS_SURE:
        return None
    return (
        "the images are not in MNIST's form, but brought to it the network is less sure of them (mean confidence "
        f"{100 * after:.1f} %, as stored {100 * before:.1f} %)"
    )
