import numpy as np
import pytest
from support.digits import drawn_digits, filling

from job.normalize.decision import HEAD_IMAGES, decide
from job.normalize.form import Form, form_of, transposed
from job.normalize.geometry import Ink, share_in_form, specks
from job.normalize.mnist_form import form_of_ink, to_mnist_form
from job.settings import ReadSettings

DIGITS = drawn_digits().pixels
FILLED = filling(DIGITS)


def _decide(pixels, choice="auto", sureness=None, **more):
    return decide(ReadSettings(normalize=choice, **more), pixels, sureness=sureness)


def _never(_pixels):
    """A network that is not asked."""
    raise AssertionError


def test_images_in_form_stay_as_they_are():
    """Bit for bit; whatever a network would say."""
    found = _decide(DIGITS, sureness=_never)
    assert (found.form, found.in_form, found.doubt) == (Form(), 1.0, None)
    assert found.form.apply(DIGITS) is DIGITS


@pytest.mark.parametrize("count", [1, 3, 72])
def test_digits_that_fill_the_image_are_brought_to_form(count):
    """Also a single one."""
    found = _decide(FILLED[:count])
    assert (found.form, found.doubt) == (Form(is_centred=True), None)
    assert share_in_form(found.form.apply(FILLED)) == 1


@pytest.mark.parametrize("shift", [(-3, 0), (-4, 2), (0, -4)])
def test_digits_off_centre_are_brought_to_form(shift):
    """And then are what they were before they were moved."""
    images = DIGITS.reshape(-1, 28, 28)
    edges = np.ones((28, 28), np.bool_)
    edges[4:, 4:-4] = False
    is_inside = ~images[:, edges].any(axis=1)
    inside = images[is_inside]
    moved = np.roll(inside, shift, (1, 2)).reshape(-1, 784)
    found = _decide(moved)
    assert found.form == Form(is_centred=True)
    assert (found.form.apply(moved) == to_mnist_form(inside.reshape(-1, 784))).all()


@pytest.mark.parametrize("pixels", [DIGITS, FILLED], ids=["in form", "filled"])
@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 90), (220, 30), (40, 250), (250, 60)], ids=str)
def test_paper_and_ink_are_told_apart(pixels, paper, ink):
    """Dark on light, faint, or on a background that is not 0."""
    random = np.random.default_rng(1)
    grain = random.normal(0, 2, pixels.shape) if paper not in {0, 255} else 0
    stored = np.clip(paper + pixels / 255 * (ink - paper) + grain, 0, 255).astype(np.uint8)
    found = _decide(stored)
    assert found.form.is_inverted == (paper > ink)
    assert found.form.is_centred == (pixels is FILLED)
    difference = found.form.apply(stored).astype(int) - _decide(pixels).form.apply(pixels)
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize("pixels", [DIGITS, FILLED], ids=["in form", "filled"])
def test_digits_stored_by_columns_are_transposed(pixels):
    """From 16 images on."""
    found = _decide(transposed(pixels))
    assert found.form == Form(is_transposed=True, is_centred=pixels is FILLED)
    assert not _decide(transposed(pixels)[:15]).form.is_transposed


def test_what_the_user_has_settled_is_not_decided():
    """--invert and --transpose have been applied by now, rightly or not."""
    assert not _decide(255 - DIGITS, is_inverted=True).form.is_inverted
    assert not _decide(transposed(DIGITS), is_transposed=True).form.is_transposed


def test_a_network_that_is_less_sure_afterwards_forbids_it():
    """Then there is a doubt, which becomes a warning."""
    unsure = _decide(FILLED, sureness=lambda pixels: 0.6 if share_in_form(pixels) else 0.9)
    assert unsure.form == Form()
    assert "60.0 %" in unsure.doubt
    assert "90.0 %" in unsure.doubt
    assert _decide(FILLED, sureness=lambda pixels: 0.9 if share_in_form(pixels) else 0.6).form.is_centred


def test_noise_decides_nothing():
    """Nobody can tell where the ink ends, or whether there are digits at all."""
    random = np.random.default_rng(2)
    noisy = np.where(random.random(FILLED.shape) < 0.05, 255, FILLED).astype(np.uint8)
    nothing = np.where(random.random(FILLED.shape) < 0.2, random.integers(0, 256, FILLED.shape), 0).astype(np.uint8)
    for pixels in (noisy, nothing):
        assert (_decide(pixels).form, _decide(pixels).doubt) == (Form(), None)
        assert specks(pixels).mean() > 0.01


def test_a_frame_is_not_paper():
    """A line around each digit does not make it dark on light."""
    framed = DIGITS.reshape(-1, 28, 28).copy()
    framed[:, [0, -1]] = framed[:, :, [0, -1]] = 255
    found = _decide(framed.reshape(-1, 784))
    assert found.form == Form()
    assert "uneven" in found.doubt


def test_a_mixture_stays_as_stored_with_a_doubt():
    """A file's form is that of nearly all of its images."""
    mixture = np.concatenate([DIGITS[:15], FILLED[:57]])
    found = _decide(mixture)
    assert found.form == Form()
    assert "21 %" in found.doubt
    assert _decide(np.concatenate([DIGITS[:50], FILLED[:22]])).doubt is None


def test_blank_images_decide_nothing():
    """And they are left out where others decide."""
    blank = np.zeros((100, 784), np.uint8)
    assert _decide(blank).form == Form()
    assert _decide(blank[:0]).form == Form()
    assert _decide(np.concatenate([blank, FILLED])).form.is_centred
    assert _decide(np.concatenate([255 - blank, 255 - FILLED])).form == Form(paper=255, ink=0, is_centred=True)


def test_only_the_first_images_decide():
    """So that a file has one form, however long it is."""
    many = np.tile(DIGITS, (4, 1))[:HEAD_IMAGES]
    assert _decide(np.concatenate([many, np.tile(FILLED, (9, 1))])).form == Form()


def test_none_and_mnist_are_as_the_user_wants():
    """`mnist` asks no network, but still settles which way round images are."""
    assert _decide(FILLED, "none").form == Form()
    forced = _decide(DIGITS, "mnist", sureness=_never)
    assert forced.form == Form(is_centred=True)
    assert _decide(255 - transposed(DIGITS), "mnist").form == Form(True, 255, 0, True)
    assert _decide(DIGITS[:0], "mnist").form == Form(is_centred=True)


@pytest.mark.parametrize("form", [Form(), Form(True), Form(False, 255, 0), Form(True, 40, 250, True)])
def test_forms_survive_documents(form):
    """As manifests and comparisons hold them."""
    assert form_of(form.to_json()) == form


def test_forms_are_readable():
    """In logs and on pages."""
    assert str(Form()) == "as stored"
    assert str(Form(True, 250, 60, True)) == (
        "transposed, inverted, stretched from 250-60 to 0-255, brought to MNIST's form"
    )


def test_ink_is_measured():
    """A block of 4 lines and 6 columns, its centre 2 lines above and 3 columns right of the middle."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 10:14, 14:20] = 200
    ink = Ink.of(image.reshape(1, 784))
    assert (ink.heights[0], ink.widths[0], ink.down[0], ink.across[0]) == (4, 6, -2, 3)
    assert not ink.is_in_form[0]
    assert Ink.of(form_of_ink(image[0])[np.newaxis]).is_in_form[0]
