"""The network as the scorer runs it: uint8 pixels -> probabilities, by the quickest way that the model allows."""

from job.model.bundle import DENSE_NAME, ONNX_NAME, Bundle, Predictor
from job.model.dense import DensePredictor
from job.storage import join


def predictor_of(bundle: Bundle) -> Predictor:
    """The quickest way to run a bundle's network. Raises ModelInvalid."""
    if bundle.dense is not None:
        return DensePredictor(bundle.dense, join(bundle.path, DENSE_NAME))
    from job.model.onnx_predictor import OnnxPredictor  # noqa: PLC0415  # a sixth of a second that most models need not

    return OnnxPredictor(bundle.onnx, join(bundle.path, ONNX_NAME))
