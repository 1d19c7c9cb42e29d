import pytest

from job.errors import ModelInvalid, ResourceExhausted
from job.train.backend import import_keras
from job.train.export.keras_export import exported_by_keras
from job.train.fit.network import dense


def _export(monkeypatch, error):
    """Export a network; Keras's exporter raises the error."""

    def fail(*_arguments, **_named):
        raise error

    monkeypatch.setattr(import_keras().Model, "export", fail)
    with exported_by_keras(dense((8,)), "model.onnx", "onnx"):
        pass


def test_a_network_that_the_format_cannot_express_is_refused(monkeypatch):
    """Whatever error the converter raises."""
    expected = r"dense: cannot be exported to ONNX: NotImplementedError\('no operator for this'\)"
    with pytest.raises(ModelInvalid, match=expected):
        _export(monkeypatch, NotImplementedError("no operator for this"))


def test_a_memory_error_is_passed_on(monkeypatch):
    """It does not make the network invalid."""
    with pytest.raises(ResourceExhausted, match="out of memory"):
        _export(monkeypatch, MemoryError("no room"))
