"""Numbers of few bits in bytes: bit by bit, and back."""

import numpy as np
import pytest

from jkeras import quantizers


@pytest.mark.parametrize(("dtype", "lowest"), [("int8", -2), ("uint8", 0)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_four_numbers_of_two_bits_share_a_byte(dtype, lowest, axis):
    numbers = np.random.default_rng(0).integers(lowest, lowest + 4, (5, 6, 7)).astype(dtype)
    packed, shape, length = quantizers.pack_int2(numbers, axis, dtype)
    assert packed.shape == shape and packed.dtype == dtype
    assert (length, shape[axis]) == (numbers.shape[axis], -(-numbers.shape[axis] // 4))
    np.testing.assert_array_equal(quantizers.unpack_int2(packed, length, axis, dtype), numbers)


def test_the_first_number_is_in_the_lowest_bits():
    packed, _, _ = quantizers.pack_int2(np.array([3, 0, 1, 2], "uint8"), dtype="uint8")
    assert packed.tolist() == [0b10_01_00_11]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_five_trits_share_a_byte(axis):
    trits = np.random.default_rng(0).integers(-1, 2, (4, 11, 6))
    packed, shape, length = quantizers.pack_ternary(trits.astype("float32"), axis)
    assert packed.dtype == "uint8" and shape[axis] == -(-trits.shape[axis] // 5)
    again = quantizers.unpack_ternary(packed, length, axis)
    assert again.dtype == "int8"
    np.testing.assert_array_equal(again, trits)


def test_trits_are_digits_of_base_three():
    trits = np.array([1, -1, 0, 1, 1])
    packed, _, _ = quantizers.pack_ternary(trits)
    assert packed.tolist() == [sum((t + 1) * 3**i for i, t in enumerate(trits))]


def test_wrong_types_are_named():
    with pytest.raises(ValueError, match="int8 or uint8"):
        quantizers.pack_int2(np.zeros(4, "int8"), dtype="int4")
    with pytest.raises(TypeError, match="Expected int8"):
        quantizers.pack_int2(np.zeros(4, "float32"))
    with pytest.raises(TypeError, match="uint8"):
        quantizers.unpack_ternary(np.zeros(4, "float32"), 4)
