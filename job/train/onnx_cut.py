"""A network cut behind a dense first layer, which the scorer then computes without the background's zeros."""

import numpy as np
import onnx
from onnx import numpy_helper, utils

from job.contract import PIXELS
from job.model.first_layer import PANEL, CutNetwork

# A narrower layer costs the kernel as much as one of a panel's width, and ONNX Runtime less.
_PAYS_FROM = PANEL // 2
_CUT_NODES = 3


def cut(content: bytes) -> bytes | None:
    """The network as a CutNetwork's bytes; None where it does not begin with pixels @ weights, or gains nothing.

    Takes what `onnx_graph.canonical` and `onnx_fold.fold_rescaling` give.
    """
    model = onnx.load_from_string(content)
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    if len(model.graph.node) <= _CUT_NODES:
        return None
    cast, product, addition = model.graph.node[:_CUT_NODES]
    if (cast.op_type, product.op_type) != ("Cast", "MatMul") or product.input[0] != cast.output[0]:
        return None
    weights = constants.get(product.input[1])
    if weights is None or weights.shape[:-1] != (PIXELS,) or weights.shape[-1] < _PAYS_FROM:
        return None
    sums, bias = product.output[0], np.zeros(weights.shape[-1], np.float32)
    added = constants.get(addition.input[1]) if addition.op_type == "Add" and addition.input[0] == sums else None
    # An untrained bias is all zeros, and tf2onnx leaves it out.
    if added is not None and added.shape == bias.shape:
        sums, bias = addition.output[0], added
    rest = utils.Extractor(_with_type(model, sums, len(bias))).extract_model([sums], [model.graph.output[0].name])
    return CutNetwork(weights, bias, rest.SerializeToString(deterministic=True)).to_bytes()


def _with_type(model: onnx.ModelProto, name: str, width: int) -> onnx.ModelProto:
    """The model knowing what the value is that it shall be cut at: float32 (rows, width)."""
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])
    typed.graph.value_info.append(value)
    return typed
