"""What people write instead: the same file to a CSV of predictions, in one loop. `peers keras|onnx MODEL INPUT OUTPUT`.

Each as fast as is natural: pixels go to the network as the bytes they are, batches are large, nothing is converted
twice. Every import is inside, because it is part of what such a loop costs.
"""

import os
import sys


def keras_csv(model_path, source, output):
    """Chunks from pandas, predictions from Keras."""
    import pandas as pd

    with pd.read_csv(source, chunksize=50_000, dtype="uint8") as chunks:
        _keras(model_path, chunks, output)


def keras_parquet(model_path, source, output):
    """Batches from pyarrow, as pandas frames, predictions from Keras."""
    import pyarrow.parquet as pq

    batches = pq.ParquetFile(source).iter_batches(batch_size=50_000)
    _keras(model_path, (batch.to_pandas() for batch in batches), output)


def onnx_csv(model_path, source, output):
    """A scan by Polars, with a schema so that it need not guess, predictions from ONNX Runtime."""
    import polars as pl

    columns = pl.scan_csv(source, infer_schema=False).collect_schema().names()
    _onnx(model_path, pl.scan_csv(source, schema=dict.fromkeys(columns, pl.UInt8)), output)


def onnx_parquet(model_path, source, output):
    """The same on Parquet."""
    import polars as pl

    _onnx(model_path, pl.scan_parquet(source), output)


def _keras(model_path, frames, output):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import pandas as pd
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = keras.saving.load_model(f"{model_path}/model.keras")
    with open(output, "w") as file:
        for number, frame in enumerate(frames):
            pixels = frame.drop(columns="label").to_numpy("uint8")
            shares = model.predict(pixels, batch_size=10_000, verbose=0)
            columns = {"prediction": shares.argmax(axis=1), "confidence": shares.max(axis=1), "label": frame["label"]}
            pd.DataFrame(columns).to_csv(file, header=number == 0, index=False)


def _onnx(model_path, frame, output):
    import onnxruntime as ort
    import polars as pl

    options = ort.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = ort.InferenceSession(f"{model_path}/model.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with open(output, "wb") as file:
        for number, batch in enumerate(frame.collect_batches(chunk_size=10_000, maintain_order=True)):
            shares = session.run(None, {name: batch.drop("label").to_numpy(order="c")})[0]
            columns = {"prediction": shares.argmax(axis=1), "confidence": shares.max(axis=1), "label": batch["label"]}
            pl.DataFrame(columns).write_csv(file, include_header=number == 0)


LOOPS = {
    ("keras", "csv"): keras_csv,
    ("keras", "parquet"): keras_parquet,
    ("onnx", "csv"): onnx_csv,
    ("onnx", "parquet"): onnx_parquet,
}


def main():
    """Run one of them."""
    kind, model_path, source, output = sys.argv[1:]
    LOOPS[kind, source.rpartition(".")[2]](model_path, source, output)
