"""Architectures with weights that were trained on ImageNet."""

from jkeras.applications import (
    densenet,
    imagenet_utils,
    inception_resnet_v2,
    inception_v3,
    nasnet,
    resnet,
    resnet50,
    resnet_v2,
    vgg16,
    vgg19,
    xception,
)
from jkeras.applications.densenet import DenseNet121, DenseNet169, DenseNet201
from jkeras.applications.inception_resnet_v2 import InceptionResNetV2
from jkeras.applications.inception_v3 import InceptionV3
from jkeras.applications.nasnet import NASNetLarge, NASNetMobile
from jkeras.applications.resnet import ResNet50, ResNet101, ResNet152
from jkeras.applications.resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2
from jkeras.applications.vgg import VGG16, VGG19
from jkeras.applications.xception import Xception
from jkeras.core.exports import exported

__all__ = exported(globals(), "densenet", "imagenet_utils", "inception_resnet_v2", "inception_v3", "nasnet", "resnet",
                   "resnet50", "resnet_v2", "vgg16", "vgg19", "xception")
