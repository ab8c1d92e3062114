"""`train.py` on a TPU of Google Cloud, by Keras's Kinetic: `python kinetic_train.py`."""

import kinetic


@kinetic.run(accelerator="tpu-v5litepod-8")
def train_there():
    """Trains on the eight chips of one machine; the results of the test."""
    from train import train

    return train("/tmp/digits")


if __name__ == "__main__":
    print(train_there())
