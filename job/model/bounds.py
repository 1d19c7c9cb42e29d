"""How large a network may be. A file that claims more is refused before memory is allocated for it.

`bundle`, `dense` and `onnx_file` check what the scorer runs, `train.export.claims` what is converted.
"""

from typing import Final

# ResNet-152 has 60 million. As float32, these take 256 MiB.
MAX_PARAMETERS: Final = 64 << 20
# The parameters and two values of an optimizer's for each, and as much again for everything else.
MAX_FILE_BYTES: Final = 16 * MAX_PARAMETERS
# Of the values between two layers, for one image. The first layers of VGG16 have 3.2 million, for an image of 224x224.
MAX_LAYER_VALUES: Final = 4 << 20
# How much larger an unpacked file may be. Weights shrink by a tenth, JSON to a tenth.
MAX_EXPANSION: Final = 32
