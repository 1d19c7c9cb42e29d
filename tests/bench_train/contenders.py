"""What is measured, each in a process of its own, because TensorFlow takes its number of threads when it starts.

`python -m bench_train.contenders NAME FOLDER EPOCHS` prints JSON: images shown in an epoch, seconds of each epoch.
"""

import functools
import json
import sys
import tempfile
import time

import numpy as np
from support.files import make_digits

from job.storage import LocalStorage
from job.train.backend import fix_seed, use_threads
from job.train.data.dataset import Dataset, load
from job.train.data.split import Split
from job.train.fit import network
from job.train.fit.checkpoint import Checkpoint
from job.train.fit.loop import FitHooks, fit
from job.train.fit.recipe import THREADS, recipe_of
from job.train.train_settings import DataSettings, TrainSettings

TRAINING_ROWS, VALIDATION_ROWS = 54_000, 6_000


def images(folder):
    """MNIST's in a folder, split as training does, or as many random ones where none is named."""
    if folder:
        return load(LocalStorage(), folder, seed=1, validation_share=0.1)
    random = make_digits(TRAINING_ROWS + VALIDATION_ROWS)
    train, held_out = (
        Split(random.pixels[part], random.labels[part].astype(np.int8))
        for part in (slice(TRAINING_ROWS), slice(TRAINING_ROWS, None))
    )
    return Dataset("random", "random", train, held_out, held_out, "")


def plain(arch, dataset, epochs):
    """What people write: float32 arrays in 0-1 and `model.fit`, on TensorFlow as it comes."""
    import keras

    layers = _convolutions(keras.layers) if arch == "cnn" else _dense(keras.layers)
    model = keras.Sequential([keras.Input((784,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    scaled = [(split.pixels.astype(np.float32) / 255, split.labels) for split in (dataset.train, dataset.validation)]
    ends = [time.monotonic()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: ends.append(time.monotonic()))
    model.fit(*scaled[0], batch_size=64, epochs=epochs, verbose=0, validation_data=scaled[1], callbacks=[clock])
    return len(dataset.train), list(np.diff(ends))


def _dense(layers):
    return [*(layers.Dense(units, "relu") for units in network.HIDDEN), layers.Dense(10, "softmax")]


def _convolutions(layers):
    yield layers.Reshape((28, 28, 1))
    for each in network.CONVOLUTIONS:
        yield layers.Conv2D(each.filters, each.side, each.stride, use_bias=False)
        yield layers.BatchNormalization()
        yield layers.ReLU()
    yield layers.Flatten()
    yield layers.Dense(10, "softmax")


def recipe(name, arch, dataset, epochs):
    """As `digit-job train` does it, with a checkpoint after each epoch."""
    followed = recipe_of(TrainSettings(DataSettings(("",)), "", recipe=name, arch=arch, epochs=epochs))
    use_threads(THREADS[arch])
    fix_seed(1)
    model = network.build(arch, followed.hidden, activation=followed.activation, dropout=followed.dropout)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(LocalStorage(), f"{folder}/model", {})
        fitted = fit(model, followed, dataset, seed=1, hooks=FitHooks(checkpoint=checkpoint))
    plan = followed.plan(len(dataset.train))
    return plan.batches * plan.batch_size, [epoch.seconds for epoch in fitted.history]


CONTENDERS = {
    "dense: model.fit": functools.partial(plain, "dense"),
    "dense: baseline": functools.partial(recipe, "baseline", "dense"),
    "dense: accurate": functools.partial(recipe, "accurate", "dense"),
    "cnn: model.fit": functools.partial(plain, "cnn"),
    "cnn: accurate": functools.partial(recipe, "accurate", "cnn"),
}


def main():
    """Run one of them."""
    name, folder, epochs = sys.argv[1:]
    shown, seconds = CONTENDERS[name](images(folder), int(epochs))
    print(json.dumps({"images": shown, "seconds": seconds}))


if __name__ == "__main__":
    main()
