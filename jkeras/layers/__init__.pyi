# Written by `python -m tests.make_stubs`.
from collections.abc import Sequence
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import PerAxis, TensorLike
from typing import Any, overload
import jax
from jkeras.core.graph.input_spec import InputSpec as InputSpec
from jkeras.core.layer.contract import Layer as Layer
from jkeras.layers.activation import Activation as Activation
from jkeras.layers.activation import ELU as ELU
from jkeras.layers.activation import LeakyReLU as LeakyReLU
from jkeras.layers.activation import PReLU as PReLU
from jkeras.layers.activation import ReLU as ReLU
from jkeras.layers.activation import Softmax as Softmax
from jkeras.layers.attention import AdditiveAttention as AdditiveAttention
from jkeras.layers.attention import Attention as Attention
from jkeras.layers.conv_recurrent import ConvLSTM1D as ConvLSTM1D
from jkeras.layers.conv_recurrent import ConvLSTM2D as ConvLSTM2D
from jkeras.layers.conv_recurrent import ConvLSTM3D as ConvLSTM3D
from jkeras.layers.convolution import Conv1D as Conv1D
from jkeras.layers.convolution import Conv1D as _Convolution1D
from jkeras.layers.convolution import Conv1DTranspose as Conv1DTranspose
from jkeras.layers.convolution import Conv1DTranspose as _Convolution1DTranspose
from jkeras.layers.convolution import Conv2D as Conv2D
from jkeras.layers.convolution import Conv2D as _Convolution2D
from jkeras.layers.convolution import Conv2DTranspose as Conv2DTranspose
from jkeras.layers.convolution import Conv2DTranspose as _Convolution2DTranspose
from jkeras.layers.convolution import Conv3D as Conv3D
from jkeras.layers.convolution import Conv3D as _Convolution3D
from jkeras.layers.convolution import Conv3DTranspose as Conv3DTranspose
from jkeras.layers.convolution import Conv3DTranspose as _Convolution3DTranspose
from jkeras.layers.convolution import DepthwiseConv1D as DepthwiseConv1D
from jkeras.layers.convolution import DepthwiseConv2D as DepthwiseConv2D
from jkeras.layers.convolution import SeparableConv1D as SeparableConv1D
from jkeras.layers.convolution import SeparableConv1D as _SeparableConvolution1D
from jkeras.layers.convolution import SeparableConv2D as SeparableConv2D
from jkeras.layers.convolution import SeparableConv2D as _SeparableConvolution2D
from jkeras.layers.dense import Dense as Dense
from jkeras.layers.dropout import ActivityRegularization as ActivityRegularization
from jkeras.layers.dropout import AlphaDropout as AlphaDropout
from jkeras.layers.dropout import Dropout as Dropout
from jkeras.layers.dropout import GaussianDropout as GaussianDropout
from jkeras.layers.dropout import GaussianNoise as GaussianNoise
from jkeras.layers.dropout import SpatialDropout1D as SpatialDropout1D
from jkeras.layers.dropout import SpatialDropout2D as SpatialDropout2D
from jkeras.layers.dropout import SpatialDropout3D as SpatialDropout3D
from jkeras.layers.einsum_dense import EinsumDense as EinsumDense
from jkeras.layers.embedding import Embedding as Embedding
from jkeras.layers.embedding import ReversibleEmbedding as ReversibleEmbedding
from jkeras.layers.encoding import CategoryEncoding as CategoryEncoding
from jkeras.layers.encoding import Discretization as Discretization
from jkeras.layers.encoding import HashedCrossing as HashedCrossing
from jkeras.layers.encoding import Hashing as Hashing
from jkeras.layers.equinox_layer import EquinoxLayer as EquinoxLayer
from jkeras.layers.foreign import TFSMLayer as TFSMLayer
from jkeras.layers.foreign import TorchModuleWrapper as TorchModuleWrapper
from jkeras.layers.identity import Identity as Identity
from jkeras.layers.image_color import RandomBrightness as RandomBrightness
from jkeras.layers.image_color import RandomColorDegeneration as RandomColorDegeneration
from jkeras.layers.image_color import RandomColorJitter as RandomColorJitter
from jkeras.layers.image_color import RandomContrast as RandomContrast
from jkeras.layers.image_color import RandomGrayscale as RandomGrayscale
from jkeras.layers.image_color import RandomHue as RandomHue
from jkeras.layers.image_color import RandomInvert as RandomInvert
from jkeras.layers.image_color import RandomPosterization as RandomPosterization
from jkeras.layers.image_color import RandomSaturation as RandomSaturation
from jkeras.layers.image_color import Solarization as Solarization
from jkeras.layers.image_filter import AutoContrast as AutoContrast
from jkeras.layers.image_filter import ContrastLimitedAdaptiveHistogramEqualization as ContrastLimitedAdaptiveHistogramEqualization
from jkeras.layers.image_filter import Equalization as Equalization
from jkeras.layers.image_filter import RandomErasing as RandomErasing
from jkeras.layers.image_filter import RandomGaussianBlur as RandomGaussianBlur
from jkeras.layers.image_filter import RandomSharpness as RandomSharpness
from jkeras.layers.image_geometry import RandomElasticTransform as RandomElasticTransform
from jkeras.layers.image_geometry import RandomFlip as RandomFlip
from jkeras.layers.image_geometry import RandomPerspective as RandomPerspective
from jkeras.layers.image_geometry import RandomRotation as RandomRotation
from jkeras.layers.image_geometry import RandomShear as RandomShear
from jkeras.layers.image_geometry import RandomTranslation as RandomTranslation
from jkeras.layers.image_geometry import RandomZoom as RandomZoom
from jkeras.layers.image_mix import AugMix as AugMix
from jkeras.layers.image_mix import CutMix as CutMix
from jkeras.layers.image_mix import MixUp as MixUp
from jkeras.layers.image_mix import RandAugment as RandAugment
from jkeras.layers.image_size import CenterCrop as CenterCrop
from jkeras.layers.image_size import MaxNumBoundingBoxes as MaxNumBoundingBoxes
from jkeras.layers.image_size import RandomCrop as RandomCrop
from jkeras.layers.image_size import Resizing as Resizing
from jkeras.layers.input import Input as Input
from jkeras.layers.input import InputLayer as InputLayer
from jkeras.layers.jax_layer import FlaxLayer as FlaxLayer
from jkeras.layers.jax_layer import JaxLayer as JaxLayer
from jkeras.layers.lambda_layer import Lambda as Lambda
from jkeras.layers.lookup import IntegerLookup as IntegerLookup
from jkeras.layers.lookup import StringLookup as StringLookup
from jkeras.layers.masking import Masking as Masking
from jkeras.layers.merge import Add as Add
from jkeras.layers.merge import Average as Average
from jkeras.layers.merge import Concatenate as Concatenate
from jkeras.layers.merge import Dot as Dot
from jkeras.layers.merge import Maximum as Maximum
from jkeras.layers.merge import Minimum as Minimum
from jkeras.layers.merge import Multiply as Multiply
from jkeras.layers.merge import Subtract as Subtract
from jkeras.layers.mixture_of_experts import MixtureOfExperts as MixtureOfExperts
from jkeras.layers.multi_head_attention import GroupedQueryAttention as _GroupQueryAttention
from jkeras.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from jkeras.layers.normalization import BatchNormalization as BatchNormalization
from jkeras.layers.normalization import GroupNormalization as GroupNormalization
from jkeras.layers.normalization import LayerNormalization as LayerNormalization
from jkeras.layers.normalization import RMSNormalization as RMSNormalization
from jkeras.layers.normalization import SpectralNormalization as SpectralNormalization
from jkeras.layers.normalization import UnitNormalization as UnitNormalization
from jkeras.layers.pipeline import Pipeline as Pipeline
from jkeras.layers.pooling import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from jkeras.layers.pooling import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from jkeras.layers.pooling import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from jkeras.layers.pooling import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from jkeras.layers.pooling import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from jkeras.layers.pooling import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from jkeras.layers.pooling import AveragePooling1D as AveragePooling1D
from jkeras.layers.pooling import AveragePooling1D as _AvgPool1D
from jkeras.layers.pooling import AveragePooling2D as AveragePooling2D
from jkeras.layers.pooling import AveragePooling2D as _AvgPool2D
from jkeras.layers.pooling import AveragePooling3D as AveragePooling3D
from jkeras.layers.pooling import AveragePooling3D as _AvgPool3D
from jkeras.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from jkeras.layers.pooling import GlobalAveragePooling1D as _GlobalAvgPool1D
from jkeras.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from jkeras.layers.pooling import GlobalAveragePooling2D as _GlobalAvgPool2D
from jkeras.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from jkeras.layers.pooling import GlobalAveragePooling3D as _GlobalAvgPool3D
from jkeras.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from jkeras.layers.pooling import GlobalMaxPooling1D as _GlobalMaxPool1D
from jkeras.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from jkeras.layers.pooling import GlobalMaxPooling2D as _GlobalMaxPool2D
from jkeras.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from jkeras.layers.pooling import GlobalMaxPooling3D as _GlobalMaxPool3D
from jkeras.layers.pooling import MaxPooling1D as MaxPooling1D
from jkeras.layers.pooling import MaxPooling1D as _MaxPool1D
from jkeras.layers.pooling import MaxPooling2D as MaxPooling2D
from jkeras.layers.pooling import MaxPooling2D as _MaxPool2D
from jkeras.layers.pooling import MaxPooling3D as MaxPooling3D
from jkeras.layers.pooling import MaxPooling3D as _MaxPool3D
from jkeras.layers.position_embedding import PositionEmbedding as PositionEmbedding
from jkeras.layers.preprocessing import Normalization as Normalization
from jkeras.layers.preprocessing import Rescaling as Rescaling
from jkeras.layers.recurrent import GRU as GRU
from jkeras.layers.recurrent import LSTM as LSTM
from jkeras.layers.recurrent import RNN as RNN
from jkeras.layers.recurrent import SimpleRNN as SimpleRNN
from jkeras.layers.recurrent_cells import GRUCell as GRUCell
from jkeras.layers.recurrent_cells import LSTMCell as LSTMCell
from jkeras.layers.recurrent_cells import SimpleRNNCell as SimpleRNNCell
from jkeras.layers.recurrent_cells import StackedRNNCells as StackedRNNCells
from jkeras.layers.reshaping import Cropping1D as Cropping1D
from jkeras.layers.reshaping import Cropping2D as Cropping2D
from jkeras.layers.reshaping import Cropping3D as Cropping3D
from jkeras.layers.reshaping import Flatten as Flatten
from jkeras.layers.reshaping import Permute as Permute
from jkeras.layers.reshaping import RepeatVector as RepeatVector
from jkeras.layers.reshaping import Reshape as Reshape
from jkeras.layers.reshaping import UpSampling1D as UpSampling1D
from jkeras.layers.reshaping import UpSampling2D as UpSampling2D
from jkeras.layers.reshaping import UpSampling3D as UpSampling3D
from jkeras.layers.reshaping import ZeroPadding1D as ZeroPadding1D
from jkeras.layers.reshaping import ZeroPadding2D as ZeroPadding2D
from jkeras.layers.reshaping import ZeroPadding3D as ZeroPadding3D
from jkeras.layers.rotary_embedding import RotaryEmbedding as RotaryEmbedding
from jkeras.layers.serialization import deserialize as deserialize
from jkeras.layers.serialization import serialize as serialize
from jkeras.layers.spectrogram import MelSpectrogram as MelSpectrogram
from jkeras.layers.spectrogram import STFTSpectrogram as STFTSpectrogram
from jkeras.layers.stack import Stack as Stack
from jkeras.layers.ternary_dense import TernaryDense as TernaryDense
from jkeras.layers.text_vectorization import TextVectorization as TextVectorization
from jkeras.layers.wrappers import Bidirectional as Bidirectional
from jkeras.layers.wrappers import TimeDistributed as TimeDistributed
from jkeras.layers.wrappers import Wrapper as Wrapper

AvgPool1D = _AvgPool1D
AvgPool2D = _AvgPool2D
AvgPool3D = _AvgPool3D
Convolution1D = _Convolution1D
Convolution1DTranspose = _Convolution1DTranspose
Convolution2D = _Convolution2D
Convolution2DTranspose = _Convolution2DTranspose
Convolution3D = _Convolution3D
Convolution3DTranspose = _Convolution3DTranspose
GlobalAvgPool1D = _GlobalAvgPool1D
GlobalAvgPool2D = _GlobalAvgPool2D
GlobalAvgPool3D = _GlobalAvgPool3D
GlobalMaxPool1D = _GlobalMaxPool1D
GlobalMaxPool2D = _GlobalMaxPool2D
GlobalMaxPool3D = _GlobalMaxPool3D
GroupQueryAttention = _GroupQueryAttention
MaxPool1D = _MaxPool1D
MaxPool2D = _MaxPool2D
MaxPool3D = _MaxPool3D
SeparableConvolution1D = _SeparableConvolution1D
SeparableConvolution2D = _SeparableConvolution2D
@overload
def add(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def add(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
@overload
def average(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def average(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
@overload
def concatenate(inputs: Sequence[KerasTensor], axis: int = -1, **kwargs: Any) -> KerasTensor: ...
@overload
def concatenate(inputs: Sequence[TensorLike], axis: int = -1, **kwargs: Any) -> jax.Array: ...
@overload
def dot(inputs: Sequence[KerasTensor], axes: PerAxis = -1, **kwargs: Any) -> KerasTensor: ...
@overload
def dot(inputs: Sequence[TensorLike], axes: PerAxis = -1, **kwargs: Any) -> jax.Array: ...
@overload
def maximum(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def maximum(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
@overload
def minimum(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def minimum(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
@overload
def multiply(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def multiply(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
@overload
def subtract(inputs: Sequence[KerasTensor], **kwargs: Any) -> KerasTensor: ...
@overload
def subtract(inputs: Sequence[TensorLike], **kwargs: Any) -> jax.Array: ...
