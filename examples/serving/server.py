"""Serves `digits.onnx` over HTTP: `python server.py FOLDER`. It knows LitServe and onnxruntime, and
nothing of jkeras. What slow clients may do, `connections.py` says.

`POST /predict` takes `{"pixels": 8 rows of 8 numbers from 0 to 16}`; `GET /health` answers 200 once
the model is loaded. A request is looked over before it may join a batch, so one that is refused
disturbs no other.
"""

import argparse
import multiprocessing
import pathlib
import signal
from typing import Annotated

import litserve
import numpy as np
import onnxruntime
from connections import Hurried
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

SIDE = 8
MOST_BYTES = 16_384  # 64 numbers take 1,500 bytes with all their digits
MOST_WAITING = 512  # requests under way; those beyond are answered with 503

Pixel = Annotated[float, Field(ge=0, le=16, allow_inf_nan=False)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE)]


class Image(BaseModel):
    """The body of a request."""

    pixels: Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE)]


class Digits(litserve.LitAPI):
    """The model in a worker, which is given a batch of the requests that wait.

    Args:
        file: the model, as of `train.py`.
    """

    def __init__(self, file, **batching):
        super().__init__(**batching)
        self.file = file

    def setup(self, device):
        """Loads the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the other cores have the HTTP server, or other workers
        self.session = onnxruntime.InferenceSession(self.file, options)

    def decode_request(self, request: Image):
        """One image, (1, 8, 8, 1)."""
        return np.asarray(request.pixels, "float32")[None, ..., None]

    def batch(self, inputs):
        """One array of several images."""
        return np.concatenate(inputs)

    def predict(self, images):
        """The two outputs of the graph."""
        names = ["probabilities", "in_set"]
        return dict(
            zip(names, self.session.run(names, {self.session.get_inputs()[0].name: images}))
        )

    def unbatch(self, outputs):
        """The outputs of each image."""
        rows = len(outputs["in_set"])
        return [{name: value[i : i + 1] for name, value in outputs.items()} for i in range(rows)]

    def encode_response(self, output):
        """What is sent: the likeliest digit, the probabilities, and the digits that it may be."""
        probabilities, in_set = output["probabilities"][0], output["in_set"][0]
        return {
            "digit": int(probabilities.argmax()),
            "probabilities": probabilities.tolist(),
            "set": np.flatnonzero(in_set).tolist(),
        }


async def malformed(request, error):
    """Says what is wrong where, without the body: JSON has no NaN to send back."""
    details = [
        {"at": "/".join(map(str, found["loc"][1:])), "message": found["msg"]}
        for found in error.errors()
    ]
    return JSONResponse({"detail": details}, 422)


async def too_large(request, error):
    """Ends the connection, since the rest of the body is not read."""
    detail = f"The body is larger than {MOST_BYTES} bytes. Send one image of {SIDE} by {SIDE}."
    return JSONResponse({"detail": detail}, 413, {"Connection": "close"})


def stop(number, frame):
    """Ends this process as Ctrl-C does, after which alone LitServe ends its other processes."""
    raise KeyboardInterrupt if multiprocessing.parent_process() is None else SystemExit(0)


def main():
    """Serves until it is sent SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="that train.py has written to")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=32, help="the most images in a batch")
    parser.add_argument("--wait", type=float, default=0.002, help="seconds that a batch waits")
    options = parser.parse_args()
    batching = {}
    if options.batch > 1:
        batching = {"max_batch_size": options.batch, "batch_timeout": options.wait}
    api = Digits(str(options.folder / "digits.onnx"), **batching)
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        timeout=5,
        max_payload_size=MOST_BYTES,
        fast_queue=True,
        restart_workers=True,
    )
    server.app.add_exception_handler(RequestValidationError, malformed)
    server.app.add_exception_handler(413, too_large)
    signal.signal(signal.SIGTERM, stop)
    server.run(
        host=options.host,
        port=options.port,
        limit_concurrency=MOST_WAITING,
        http=Hurried,
        ws="none",
        log_level="warning",
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
