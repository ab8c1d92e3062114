"""Hashes of texts that are the same on every machine: FarmHash64 and SipHash-2-4, in plain Python.

>>> farmhash64(b"Hello"), fingerprint_cat(farmhash64(b"Hello"), farmhash64(b"World"))
(15404698994557526151, 16877292868973613377)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _at(text: bytes, offset: int) -> int:
    return int.from_bytes(text[offset : offset + 8], "little")


def _rotate(value: int, bits: int) -> int:
    """Rotation to the right."""
    value &= MASK
    return (value >> bits | value << (64 - bits)) & MASK


def _mix(value: int) -> int:
    value &= MASK
    return value ^ value >> 47


def _join(u: int, v: tuple[int, int], mul: int) -> int:
    a = _mix((u ^ v) * mul)
    return _mix((v & MASK ^ a) * mul) * mul & MASK


def farmhash64(text: bytes) -> int:
    """The 64-bit fingerprint of bytes by FarmHash (farmhashna; Pike 2014), which TensorFlow hashes
    strings with.

    >>> farmhash64(b"World")
    18308117990299812472
    """
    size = len(text)
    if size <= 16:
        return _short(text, size)
    if size <= 64:
        return _medium(text, size)
    return _long(text, size)


def _short(text: bytes, size: int) -> int:
    mul = K2 + 2 * size
    if size >= 8:
        a = _at(text, 0) + K2
        b = _at(text, size - 8)
        return _join(_rotate(b, 37) * mul + a & MASK, (_rotate(a, 25) + b) * mul & MASK, mul)
    if size >= 4:
        (head,) = struct.unpack("<I", text[:4])
        (tail,) = struct.unpack("<I", text[-4:])
        return _join(size + (head << 3), tail, mul)
    if size > 0:
        y = text[0] + (text[size >> 1] << 8)
        z = size + (text[-1] << 2)
        return _mix(y * K2 ^ z * K0) * K2 & MASK
    return K2


def _medium(text: bytes, size: int) -> int:
    """17 to 64 bytes."""
    mul = K2 + 2 * size
    a = _at(text, 0) * (K1 if size <= 32 else K2)
    b = _at(text, 8)
    c = _at(text, size - 8) * mul
    d = _at(text, size - 16) * K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _join(y & MASK, a + _rotate(b + K2, 18) + c & MASK, mul)
    if size <= 32:
        return z
    e = _at(text, 16) * mul
    f = _at(text, 24)
    g = (y + _at(text, size - 32)) * mul
    h = (z + _at(text, size - 24)) * mul
    u = _rotate(e + f, 43) + _rotate(g, 30) + h & MASK
    v = e + _rotate(f + a, 18) + g & MASK
    return _join(u, v, mul)


def _weak(text: bytes, offset: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds as two numbers."""
    w, x, y, z = (_at(text, offset + 8 * i) for i in range(4))
    a += w
    b, c = _rotate(b + a + z, 21), a
    a += x + y
    return a + z & MASK, b + _rotate(a, 44) + c & MASK


def _long(text: bytes, size: int) -> int:
    y = 81 * K1 + 113 & MASK
    z = _mix(y * K2 + 113) * K2 & MASK
    v = w = (0, 0)
    x = 81 * K2 + _at(text, 0)

    def block(offset: int, state: tuple[Any, ...], mul: int, factor: int) -> tuple[Any, ...]:
        x, y, z, v, w = state
        x = _rotate(x + y + v[0] + _at(text, offset + 8), 37) * mul & MASK
        y = _rotate(y + v[1] + _at(text, offset + 48), 42) * mul
        x ^= w[1] * factor & MASK
        y = y + v[0] * factor + _at(text, offset + 40) & MASK
        z = _rotate(z + w[0], 33) * mul & MASK
        v = _weak(text, offset, v[1] * mul & MASK, x + w[0])
        w = _weak(text, offset + 32, z + w[1], y + _at(text, offset + 16))
        return z, y, x, v, w

    for offset in range(0, (size - 1) // 64 * 64, 64):
        x, y, z, v, w = block(offset, (x, y, z, v, w), K1, 1)
    mul = K1 + ((z & 0xFF) << 1)
    w = w[0] + (size - 1 & 63), w[1]
    v = v[0] + w[0] & MASK, v[1]
    w = w[0] + v[0] & MASK, w[1]
    x, y, z, v, w = block(size - 64, (x, y, z, v, w), mul, 9)
    low = _join(v[0], w[0], mul) + _mix(y) * K0 + z & MASK
    high = _join(v[1], w[1], mul) + x & MASK
    return _join(low, high, mul)


def fingerprint_cat(left: int, right: int) -> int:
    """One fingerprint from two, as TensorFlow combines those of crossed features."""
    k = 0xC6A4A7935BD1E995
    result = (left ^ k ^ _mix(right * k) * k) * k
    return _mix(_mix(result) * k)


def siphash64(text: bytes, key: Sequence[int]) -> int:
    """The 64-bit SipHash-2-4 of bytes under a key of two integers (Aumasson and Bernstein 2012).

    >>> hex(siphash64(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))
    '0xa129ca6149be45e5'
    """
    v0, v1, v2, v3 = (
        k ^ c
        for k, c in zip(
            (*key, *key),
            (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573),
        )
    )

    def rounds(count: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        for _ in range(count):
            v0 = v0 + v1 & MASK
            v2 = v2 + v3 & MASK
            v1 = _rotate(v1, 64 - 13) ^ v0
            v3 = _rotate(v3, 64 - 16) ^ v2
            v0 = _rotate(v0, 32)
            v2 = v2 + v1 & MASK
            v0 = v0 + v3 & MASK
            v1 = _rotate(v1, 64 - 17) ^ v2
            v3 = _rotate(v3, 64 - 21) ^ v0
            v2 = _rotate(v2, 32)
        return v0, v1, v2, v3

    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v0, v1, v2, v3 = rounds(2, v0, v1, v2, v3 ^ word)
        v0 ^= word
    v0, v1, v2, v3 = rounds(4, v0, v1, v2 ^ 0xFF, v3)
    return v0 ^ v1 ^ v2 ^ v3
