"""ResNet50."""

from jkeras.applications.imagenet_utils import decode_predictions
from jkeras.applications.resnet import ResNet50, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
