"""A typo in an argument that is a name: the error says which name was meant. One row for each
place.
"""

import numpy as np
import pytest

import jkeras
from jkeras import Input, Sequential, callbacks, layers, losses, metrics, ops, optimizers

IMAGES = np.ones((1, 4, 4, 3), "float32")
KERNEL = np.ones((2, 2, 3, 1), "float32")
ROWS = np.ones((2, 3), "float32")
BOXES = np.ones((1, 1, 4), "float32")


def net(**arguments):
    model = Sequential([Input((3,)), layers.Dense(1, name="head")], name="net")
    model.compile(**{"optimizer": "sgd", "loss": "mse", **arguments})
    return model


# call with a typo, the name that was meant
TYPOS = {
    # ------------------------------------------------------------ families
    "activation": (lambda: layers.Dense(1, activation="rellu"), "relu"),
    "recurrent_activation": (lambda: layers.LSTM(1, recurrent_activation="sigmod"), "sigmoid"),
    "kernel_initializer": (
        lambda: layers.Dense(1, kernel_initializer="glorot_unifrom"),
        "glorot_uniform",
    ),
    "initializer by class": (lambda: jkeras.initializers.get("HeNormall"), "HeNormal"),
    "kernel_regularizer": (lambda: layers.Dense(1, kernel_regularizer="l22"), "l2"),
    "kernel_constraint": (lambda: layers.Dense(1, kernel_constraint="maxnorm"), "MaxNorm"),
    "optimizer": (lambda: net(optimizer="adm"), "adam"),
    "loss": (
        lambda: net(loss="mean_squared_eror").fit(ROWS, ROWS[:, :1], verbose=0),
        "mean_squared_error",
    ),
    "metric": (lambda: net(metrics=["acuracy"]).fit(ROWS, ROWS[:, :1], verbose=0), "accuracy"),
    "losses.get": (lambda: losses.get("categorical_crosentropy"), "categorical_crossentropy"),
    "metrics.get": (lambda: metrics.get("acuracy"), "accuracy"),
    "quantizer": (lambda: jkeras.quantizers.get("abs_max_quantzer"), "abs_max_quantizer"),
    "class of a config": (
        lambda: layers.deserialize({"class_name": "Dens", "config": {}}),
        "Dense",
    ),
    # ------------------------------------------------------------ names of layers and arguments
    "get_layer": (lambda: net().get_layer("haed"), "head"),
    "argument of a layer": (lambda: layers.Dense(1, activaton="relu"), "activation"),
    "argument of every layer": (lambda: layers.Dense(1, nmae="x"), "name"),
    "argument of an optimizer": (lambda: optimizers.Adam(learning_rat=0.1), "learning_rate"),
    # ------------------------------------------------------------ padding and data format
    "padding of Conv2D": (lambda: layers.Conv2D(1, 2, padding="smae"), "same"),
    "padding of Conv1D": (lambda: layers.Conv1D(1, 2, padding="casual"), "causal"),
    "padding of Conv2DTranspose": (lambda: layers.Conv2DTranspose(1, 2, padding="smae"), "same"),
    "padding of MaxPooling2D": (lambda: layers.MaxPooling2D(2, padding="vaild"), "valid"),
    "padding of ConvLSTM2D": (lambda: layers.ConvLSTM2D(1, 2, padding="smae"), "same"),
    "padding of STFTSpectrogram": (lambda: layers.STFTSpectrogram(padding="smae"), "same"),
    "padding of ops.conv": (lambda: ops.conv(IMAGES, KERNEL, padding="smae"), "same"),
    "padding of ops.max_pool": (lambda: ops.max_pool(IMAGES, 2, padding="smae"), "same"),
    "padding of pad_sequences": (lambda: jkeras.utils.pad_sequences([[1]], padding="psot"), "post"),
    "data_format of a layer": (
        lambda: layers.Conv2D(1, 2, data_format="chanels_last"),
        "channels_last",
    ),
    "data_format of an op": (
        lambda: ops.conv(IMAGES, KERNEL, data_format="channel_first"),
        "channels_first",
    ),
    "data_format of the session": (
        lambda: jkeras.config.set_image_data_format("channel_last"),
        "channels_last",
    ),
    # ------------------------------------------------------------ dtypes
    "dtype of a layer": (lambda: layers.Dense(1, dtype="flaot32"), "float32"),
    "policy of a layer": (lambda: layers.Dense(1, dtype="mixed_bflot16"), "mixed_bfloat16"),
    "policy of the session": (
        lambda: jkeras.config.set_dtype_policy("mixed_flaot16"),
        "mixed_float16",
    ),
    "floatx": (lambda: jkeras.config.set_floatx("flaot32"), "float32"),
    "dtype of an op": (lambda: ops.cast(ROWS, "flaot32"), "float32"),
    "dtype of Input": (lambda: Input((3,), dtype="flaot32"), "float32"),
    "dtype of a weight": (
        lambda: layers.Layer().add_weight(shape=(2,), dtype="flaot32"),
        "float32",
    ),
    # ------------------------------------------------------------ modes
    "interpolation of UpSampling2D": (
        lambda: layers.UpSampling2D(interpolation="bilinar"),
        "bilinear",
    ),
    "interpolation of Resizing": (
        lambda: layers.Resizing(2, 2, interpolation="bilinar")(IMAGES),
        "bilinear",
    ),
    "interpolation of RandomRotation": (
        lambda: layers.RandomRotation(0.1, interpolation="bilinar"),
        "bilinear",
    ),
    "fill_mode": (lambda: layers.RandomZoom(0.1, fill_mode="constnt"), "constant"),
    "mode of RandomFlip": (lambda: layers.RandomFlip("horizontl"), "horizontal"),
    "output_mode of TextVectorization": (
        lambda: layers.TextVectorization(output_mode="tfidf"),
        "tf_idf",
    ),
    "output_mode of StringLookup": (
        lambda: layers.StringLookup(output_mode="multihot"),
        "multi_hot",
    ),
    "output_mode of Hashing": (lambda: layers.Hashing(3, output_mode="onehot"), "one_hot"),
    "standardize": (lambda: layers.TextVectorization(standardize="lowr"), "lower"),
    "split": (lambda: layers.TextVectorization(split="whitespce"), "whitespace"),
    "merge_mode": (lambda: layers.Bidirectional(layers.LSTM(1), merge_mode="contat"), "concat"),
    "score_mode": (lambda: layers.Attention(score_mode="dott"), "dot"),
    "mode of STFTSpectrogram": (lambda: layers.STFTSpectrogram(mode="magnitud"), "magnitude"),
    "mode of VarianceScaling": (
        lambda: jkeras.initializers.VarianceScaling(mode="fan_inn"),
        "fan_in",
    ),
    "distribution": (lambda: jkeras.initializers.VarianceScaling(distribution="normall"), "normal"),
    "reduction of a loss": (lambda: losses.MeanSquaredError(reduction="summ"), "sum"),
    "average": (lambda: metrics.F1Score(average="macor"), "macro"),
    "curve": (lambda: metrics.AUC(curve="ROCC"), "ROC"),
    "summation_method": (lambda: metrics.AUC(summation_method="interpolatoin"), "interpolation"),
    "save_freq": (lambda: callbacks.ModelCheckpoint("x.keras", save_freq="epcoh"), "epoch"),
    "mode of quantize": (lambda: net().quantize("itn8"), "int8"),
    "mode of ops.pad": (lambda: ops.pad(ROWS, 1, mode="reflct"), "reflect"),
    "format of boxes": (
        lambda: jkeras.utils.bounding_boxes.convert_format(BOXES, "xyyx", "xywh"),
        "xyxy",
    ),
    "format of export": (lambda: net().export("x", format="onxx"), "onnx"),
    "aggregation of a variable": (lambda: jkeras.Variable(ROWS, aggregation="maen"), "mean"),
    "mode of Checkpointer": (lambda: jkeras.saving.Checkpointer("x", mode="mxa"), "max"),
    "nonfinite": (lambda: net(nonfinite="rasie"), "raise"),
}


@pytest.mark.promise("A typo, or an argument")
@pytest.mark.promise("An unknown name is an error that suggests")
@pytest.mark.promise("The message says which name is close, else it lists")
@pytest.mark.parametrize("where", TYPOS)
def test_the_error_names_what_was_meant(where):
    mistake, meant = TYPOS[where]
    with pytest.raises((ValueError, TypeError, NotImplementedError)) as error:
        mistake()
    assert str(error.value).endswith(f"Did you mean {meant!r}?"), error.value


def test_the_mode_of_a_callback_falls_back_and_says_so():
    with pytest.warns(UserWarning, match="Did you mean 'min'?"):
        callbacks.EarlyStopping(mode="mni")


@pytest.mark.promise("The message says which name is close, else it lists")
@pytest.mark.promise("An unknown name is an error that suggests")
def test_what_is_close_to_nothing_gets_no_advice():
    with pytest.raises(ValueError, match="Known names: .*threshold\\.$"):
        layers.Dense(1, activation="gaussian")
