# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.applications import convnext as convnext
from jkeras.applications import densenet as densenet
from jkeras.applications import efficientnet as efficientnet
from jkeras.applications import efficientnet_v2 as efficientnet_v2
from jkeras.applications import imagenet_utils as imagenet_utils
from jkeras.applications import inception_resnet_v2 as inception_resnet_v2
from jkeras.applications import inception_v3 as inception_v3
from jkeras.applications import mobilenet as mobilenet
from jkeras.applications import mobilenet_v2 as mobilenet_v2
from jkeras.applications import mobilenet_v3 as mobilenet_v3
from jkeras.applications import nasnet as nasnet
from jkeras.applications import resnet as resnet
from jkeras.applications import resnet50 as resnet50
from jkeras.applications import resnet_v2 as resnet_v2
from jkeras.applications import vgg16 as vgg16
from jkeras.applications import vgg19 as vgg19
from jkeras.applications import xception as xception
from jkeras.applications.densenet import DenseNet121 as DenseNet121
from jkeras.applications.densenet import DenseNet169 as DenseNet169
from jkeras.applications.densenet import DenseNet201 as DenseNet201
from jkeras.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
from jkeras.applications.inception_v3 import InceptionV3 as InceptionV3
from jkeras.applications.mobilenet import MobileNet as MobileNet
from jkeras.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
from jkeras.applications.nasnet import NASNetLarge as NASNetLarge
from jkeras.applications.nasnet import NASNetMobile as NASNetMobile
from jkeras.applications.resnet import ResNet101 as ResNet101
from jkeras.applications.resnet import ResNet152 as ResNet152
from jkeras.applications.resnet import ResNet50 as ResNet50
from jkeras.applications.resnet_v2 import ResNet101V2 as ResNet101V2
from jkeras.applications.resnet_v2 import ResNet152V2 as ResNet152V2
from jkeras.applications.resnet_v2 import ResNet50V2 as ResNet50V2
from jkeras.applications.vgg import VGG16 as VGG16
from jkeras.applications.vgg import VGG19 as VGG19
from jkeras.applications.xception import Xception as Xception

def ConvNeXtBase(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_base',
) -> Any: ...
def ConvNeXtLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_large',
) -> Any: ...
def ConvNeXtSmall(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_small',
) -> Any: ...
def ConvNeXtTiny(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_tiny',
) -> Any: ...
def ConvNeXtXLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_xlarge',
) -> Any: ...
def EfficientNetB0(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb0',
) -> Any: ...
def EfficientNetB1(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb1',
) -> Any: ...
def EfficientNetB2(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb2',
) -> Any: ...
def EfficientNetB3(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb3',
) -> Any: ...
def EfficientNetB4(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb4',
) -> Any: ...
def EfficientNetB5(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb5',
) -> Any: ...
def EfficientNetB6(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb6',
) -> Any: ...
def EfficientNetB7(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb7',
) -> Any: ...
def EfficientNetV2B0(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b0',
) -> Any: ...
def EfficientNetV2B1(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b1',
) -> Any: ...
def EfficientNetV2B2(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b2',
) -> Any: ...
def EfficientNetV2B3(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b3',
) -> Any: ...
def EfficientNetV2L(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-l',
) -> Any: ...
def EfficientNetV2M(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-m',
) -> Any: ...
def EfficientNetV2S(
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-s',
) -> Any: ...
def MobileNetV3Large(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'MobileNetV3Large',
) -> Any: ...
def MobileNetV3Small(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Any = 'imagenet',
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'MobileNetV3Small',
) -> Any: ...
