"""A Keras file that claims more than it holds is refused before arrays are made."""

import io
import json
import resource
import zipfile

import h5py
import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.backend import import_keras
from job.train.export.claims import check_hdf5, members_of
from job.train.export.foreign import load_foreign


def _hdf5(fill):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        fill(file)
    return content.getvalue()


def _external(file):
    file.create_dataset("a", (784, 10), "f4", external=[("/etc/passwd", 0, 784 * 40)])


def _virtual(file):
    layout = h5py.VirtualLayout((784, 10), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "a", (784, 10))
    file.create_virtual_dataset("a", layout)


@pytest.mark.parametrize(
    ("fill", "found"),
    [
        (lambda file: file.create_dataset("a", (784, 300_000), "f4"), "claim 940,800,000 bytes and take 0 in the file"),
        (
            lambda file: file.create_dataset("a", (3000, 3000), "f4", data=np.zeros((3000, 3000)), compression="gzip"),
            "claim 36,000,000 bytes and take ",
        ),
        (_external, "are in another file"),
        (_virtual, "are in another file"),
        (lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/other.h5", "/a")), "is a link"),
        (lambda file: file.__setitem__("a", h5py.SoftLink("/b")), "is a link"),
    ],
    ids=["unwritten", "zeros", "external", "virtual", "external link", "soft link"],
)
def test_weights_that_are_not_in_the_file(fill, found):
    """Whether they are claimed, compressed zeros, or in another file."""
    with pytest.raises(ModelInvalid, match=f"^m: .*{found}"):
        check_hdf5(_hdf5(fill), "m")


def test_weights_in_the_file_pass():
    """In groups, also one that contains itself."""

    def fill(file):
        group = file.create_group("layers")
        group.create_dataset("a", data=np.ones((784, 10)))
        group["again"] = group
        file.create_dataset("empty", (0, 3))

    check_hdf5(_hdf5(fill), "m")


def test_a_damaged_hdf5_file():
    """Cut off after its signature, or in the middle."""
    content = _hdf5(lambda file: file.create_dataset("a", data=np.ones(5000)))
    for cut in (8, 100, 600, len(content) // 2):
        with pytest.raises(ModelInvalid, match=r"^m: is damaged or cut off: "):
            check_hdf5(content[:cut], "m")


def test_an_archive_that_unpacks_to_a_thousand_times_its_size():
    """Nothing is unpacked."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(30 << 20))
    with pytest.raises(ModelInvalid, match=r"^m: has 30,7\d\d bytes and claims to hold 31,457,280; "):
        members_of(content.getvalue(), ["model.weights.h5"], "m")


def _with_config(path, change):
    """A .keras file's bytes with a changed config.json."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def _with_many_units(layers):
    layers[1]["config"]["units"] = 3_000_000
    layers[2]["build_config"]["input_shape"] = [None, 3_000_000]


def test_a_layer_that_claims_millions_of_units(tmp_path, layers):
    """In the file's configuration alone; its 9.4 GB of weights are not made."""
    path = tmp_path / "a.keras"
    import_keras().Sequential([layers.Input((784,)), layers.Dense(8), layers.Dense(10)]).save(path)
    with pytest.raises(ModelInvalid, match=f"^{path}: "):
        load_foreign(_with_config(path, _with_many_units), str(path))
    # Nor later, when Keras initializes what it has put off.
    with import_keras().StatelessScope():
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20


def test_a_layer_that_makes_millions_of_values(tmp_path, layers):
    """Without any weights."""
    path = tmp_path / "a.keras"
    stack = [layers.Input((28, 28, 1)), layers.UpSampling2D(100), layers.GlobalMaxPool2D(), layers.Dense(10)]
    import_keras().Sequential(stack).save(path)
    with pytest.raises(ModelInvalid, match="makes 7,840,000 values of an image, expected at most 4,194,304"):
        load_foreign(path.read_bytes(), str(path))


def test_more_parameters_than_allowed(tmp_path, layers, monkeypatch):
    """Their number is in the message."""
    monkeypatch.setattr("job.train.export.claims.MAX_PARAMETERS", 7000)
    path = tmp_path / "a.keras"
    import_keras().Sequential([layers.Input((784,)), layers.Dense(10)]).save(path)
    with pytest.raises(ModelInvalid, match="has 7,850 parameters, expected at most 7,000"):
        load_foreign(path.read_bytes(), str(path))
