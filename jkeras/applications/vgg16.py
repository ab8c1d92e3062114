"""VGG16."""

from jkeras.applications.imagenet_utils import decode_predictions
from jkeras.applications.vgg import VGG16, preprocess_input

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
