"""How large and slow a network may be. A file that claims more is refused before memory is allocated for it.

`bundle`, `dense` and `onnx_file` check what the scorer runs, `train.export.claims` what is converted, and `trial` holds
the process in which a network is tried to the limits of memory and time.
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
# Of the process that tries a network. ResNet-50 takes 1.5 GiB for 512 images of 28x28.
MAX_TRIAL_BYTES: Final = 4 << 30
# To load a network and run it for a few hundred images; a convolutional one takes 0.1 s. One that takes longer than
# this would score ten images in a second.
MAX_TRIAL_S: Final = 60.0
# For one batch, when every core is busy with others.
MAX_BATCH_S: Final = 300.0
