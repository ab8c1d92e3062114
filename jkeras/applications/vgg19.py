"""VGG19."""

from jkeras.applications.imagenet_utils import decode_predictions
from jkeras.applications.vgg import VGG19, preprocess_input

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
