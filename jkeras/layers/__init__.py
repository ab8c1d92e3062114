"""`keras.layers`: layers, grouped in one file for each family."""

from jkeras.core.names.exports import exported
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.layers.dense import Dense
from jkeras.layers.identity import Identity
from jkeras.layers.input import Input, InputLayer
from jkeras.layers.serialization import deserialize, serialize

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.layers.activation": "Activation ELU LeakyReLU PReLU ReLU Softmax",
        "jkeras.layers.attention": "AdditiveAttention Attention",
        "jkeras.layers.conv_recurrent": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
        "jkeras.layers.convolution": (
            "Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose "
            "Convolution1D=Conv1D Convolution1DTranspose=Conv1DTranspose Convolution2D=Conv2D "
            "Convolution2DTranspose=Conv2DTranspose Convolution3D=Conv3D "
            "Convolution3DTranspose=Conv3DTranspose DepthwiseConv1D DepthwiseConv2D "
            "SeparableConv1D SeparableConv2D SeparableConvolution1D=SeparableConv1D "
            "SeparableConvolution2D=SeparableConv2D"
        ),
        "jkeras.layers.dropout": (
            "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise "
            "SpatialDropout1D SpatialDropout2D SpatialDropout3D"
        ),
        "jkeras.layers.einsum_dense": "EinsumDense",
        "jkeras.layers.embedding": "Embedding ReversibleEmbedding",
        "jkeras.layers.encoding": "CategoryEncoding Discretization HashedCrossing Hashing",
        "jkeras.layers.equinox_layer": "EquinoxLayer",
        "jkeras.layers.foreign": "TFSMLayer TorchModuleWrapper",
        "jkeras.layers.image_color": (
            "RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast "
            "RandomGrayscale RandomHue RandomInvert RandomPosterization RandomSaturation "
            "Solarization"
        ),
        "jkeras.layers.image_filter": (
            "AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization "
            "RandomErasing RandomGaussianBlur RandomSharpness"
        ),
        "jkeras.layers.image_geometry": (
            "RandomElasticTransform RandomFlip RandomPerspective RandomRotation RandomShear "
            "RandomTranslation RandomZoom"
        ),
        "jkeras.layers.image_mix": "AugMix CutMix MixUp RandAugment",
        "jkeras.layers.image_size": "CenterCrop MaxNumBoundingBoxes RandomCrop Resizing",
        "jkeras.layers.jax_layer": "FlaxLayer JaxLayer",
        "jkeras.layers.lambda_layer": "Lambda",
        "jkeras.layers.lookup": "IntegerLookup StringLookup",
        "jkeras.layers.masking": "Masking",
        "jkeras.layers.merge": (
            "Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average "
            "concatenate dot maximum minimum multiply subtract"
        ),
        "jkeras.layers.multi_head_attention": (
            "GroupQueryAttention=GroupedQueryAttention MultiHeadAttention"
        ),
        "jkeras.layers.normalization": (
            "BatchNormalization GroupNormalization LayerNormalization RMSNormalization "
            "SpectralNormalization UnitNormalization"
        ),
        "jkeras.layers.pipeline": "Pipeline",
        "jkeras.layers.pooling": (
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
            "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AveragePooling1D "
            "AveragePooling2D AveragePooling3D AvgPool1D=AveragePooling1D "
            "AvgPool2D=AveragePooling2D AvgPool3D=AveragePooling3D GlobalAveragePooling1D "
            "GlobalAveragePooling2D GlobalAveragePooling3D "
            "GlobalAvgPool1D=GlobalAveragePooling1D GlobalAvgPool2D=GlobalAveragePooling2D "
            "GlobalAvgPool3D=GlobalAveragePooling3D GlobalMaxPool1D=GlobalMaxPooling1D "
            "GlobalMaxPool2D=GlobalMaxPooling2D GlobalMaxPool3D=GlobalMaxPooling3D "
            "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D MaxPool1D=MaxPooling1D "
            "MaxPool2D=MaxPooling2D MaxPool3D=MaxPooling3D MaxPooling1D MaxPooling2D "
            "MaxPooling3D"
        ),
        "jkeras.layers.position_embedding": "PositionEmbedding",
        "jkeras.layers.preprocessing": "Normalization Rescaling",
        "jkeras.layers.recurrent": "GRU LSTM RNN SimpleRNN",
        "jkeras.layers.recurrent_cells": "GRUCell LSTMCell SimpleRNNCell StackedRNNCells",
        "jkeras.layers.reshaping": (
            "Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape UpSampling1D "
            "UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D"
        ),
        "jkeras.layers.rotary_embedding": "RotaryEmbedding",
        "jkeras.layers.spectrogram": "MelSpectrogram STFTSpectrogram",
        "jkeras.layers.mixture_of_experts": "MixtureOfExperts",
        "jkeras.layers.stack": "Stack",
        "jkeras.layers.ternary_dense": "TernaryDense",
        "jkeras.layers.text_vectorization": "TextVectorization",
        "jkeras.layers.wrappers": "Bidirectional TimeDistributed Wrapper",
    },
)
