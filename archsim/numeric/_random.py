"""Standard normal numbers by counter: the same key and counter give the same bytes on any machine.

Philox4x32-10 (Salmon et al., SC 2011) turns a counter of 128 bits and a key of 64 into four words of 32 bits; two words
make two normal numbers after Box and Muller (1958):

    r = sqrt(-2 ln u1),   z1 = r cos(2 pi u2),   z2 = r sin(2 pi u2)

Logarithm, sine and cosine are polynomials in float32 with a fixed order of additions and multiplications, each of which
IEEE 754 rounds in one way only (the compiler contracts nothing without its fast-math flags), and so is the square
root.  No library function enters, whose last bit depends on the machine.  u1 has 32 bits, so |z| < 6.77; the polynomials
are right to 1e-6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim._numba import entry, helper

__all__ = ["add_noise", "normals"]

Words = NDArray[np.uint32]
Float32 = NDArray[np.float32]

_M0, _M1 = np.uint32(0xD2511F53), np.uint32(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW = np.uint64(32)
_ROUNDS = 10

_UNIT = np.float32(2.0**-32)
_HALF_TURN = np.float32(2.0**-31)
_MANTISSA, _ONE = np.int32(0x007FFFFF), np.int32(0x3F800000)
_LN2 = np.float32(0.6931471805599453)

# sin(pi r)/r and cos(pi r) for |r| <= 1/4: their Taylor series, cut where the next term is below 1e-7.
_S1, _S3, _S5, _S7 = (np.float32(c) for c in (3.141592653589793, -5.16771278004997, 2.550164039877345, -0.599264529))
_C2, _C4, _C6, _C8 = (np.float32(c) for c in (-4.934802200544679, 4.058712126416768, -1.335262768854589, 0.2353306304))


@helper
def _philox(k0: np.uint32, k1: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, words: Words) -> None:
    """Four words for each of the counters (q, c1, c2, c3), q = 0, 1, …, into the four rows of ``words``."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for q in range(w0.shape[0]):
        x0, x1, x2, x3 = np.uint32(q), c1, c2, c3
        a, b = k0, k1
        for _ in range(_ROUNDS):
            p0 = np.uint64(_M0) * np.uint64(x0)
            p1 = np.uint64(_M1) * np.uint64(x2)
            x0, x1, x2, x3 = (
                np.uint32(np.uint32(p1 >> _LOW) ^ x1 ^ a),
                np.uint32(p1),
                np.uint32(np.uint32(p0 >> _LOW) ^ x3 ^ b),
                np.uint32(p0),
            )
            a, b = np.uint32(a + _W0), np.uint32(b + _W1)
        w0[q], w1[q], w2[q], w3[q] = x0, x1, x2, x3


@helper
def _radii(words: Words, out: Float32) -> None:
    """sqrt(-2 ln u) of u = (word + 1/2) / 2^32, by ln(2^e m) = e ln 2 + 2 atanh((m - 1) / (m + 1)), m around 1."""
    for q in range(words.shape[0]):
        out[q] = (np.float32(words[q]) + np.float32(0.5)) * _UNIT
    bits = out.view(np.int32)
    for q in range(words.shape[0]):
        i = bits[q]
        # sqrt(1/2) <= m < sqrt(2): the mantissa of sqrt(1/2) splits the octave
        e = np.int32(np.int32(i - np.int32(0x3F3504F3)) >> np.int32(23))
        bits[q] = np.int32(i - np.int32(e << np.int32(23)))
        m = out[q]
        f = (m - np.float32(1)) / (m + np.float32(1))
        g = f * f
        series = np.float32(1) + g * (
            np.float32(0.33333333) + g * (np.float32(0.2) + g * (np.float32(0.14285714) + g * np.float32(0.11111111)))
        )
        ln = np.float32(e) * _LN2 + np.float32(2) * f * series
        out[q] = np.sqrt(np.float32(-2) * min(ln, np.float32(0)))


@helper
def _turns(words: Words, radii: Float32, first: Float32, second: Float32) -> None:
    """``first`` = r cos(pi t), ``second`` = r sin(pi t) with t = word / 2^31 in [-1, 1)."""
    for q in range(words.shape[0]):
        t = np.float32(np.int32(words[q])) * _HALF_TURN
        quarter = np.floor(np.float32(2) * t + np.float32(0.5))
        x = t - np.float32(0.5) * quarter
        g = x * x
        s = x * (_S1 + g * (_S3 + g * (_S5 + g * _S7)))
        c = np.float32(1) + g * (_C2 + g * (_C4 + g * (_C6 + g * _C8)))
        odd = quarter == np.float32(1) or quarter == np.float32(-1)
        cos, sin = (s, c) if odd else (c, s)
        # cos(pi t) is -s, -c for quarters 1, 2; s, -c for -1, -2; sin(pi t) is c, -s; -c, -s
        cos = -cos if quarter == np.float32(1) or quarter == np.float32(2) or quarter == np.float32(-2) else cos
        sin = -sin if quarter == np.float32(2) or quarter == np.float32(-2) or quarter == np.float32(-1) else sin
        r = radii[q]
        first[q] = r * cos
        second[q] = r * sin


@helper
def _fill(words: Words, radii: Float32, out: Float32) -> None:
    """The normal numbers of a row of words; ``radii`` [words.shape[1]] is room to work in."""
    count = words.shape[1]
    for pair in range(2):
        at = 2 * pair * count
        _radii(words[2 * pair], radii)
        _turns(words[2 * pair + 1], radii, out[at : at + count], out[at + count : at + 2 * count])


@entry
def normals(k0: np.uint32, k1: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, count: int) -> Float32:
    """``count`` standard normal numbers of the counter row (c1, c2, c3).

    Number i = k Q + q with Q = ceil(count / 4) comes from word k of counter q, so a number depends on Q too.
    """
    words = np.empty((4, (count + 3) // 4), np.uint32)
    out = np.empty(words.size, np.float32)
    _philox(k0, k1, c1, c2, c3, words)
    _fill(words, np.empty(words.shape[1], np.float32), out)
    return out[:count]


@helper
def _add(sums: NDArray[np.floating], deviates: Float32, variance: NDArray[np.floating], own: np.float32) -> None:
    for j in range(sums.shape[0]):
        sums[j] += np.sqrt(np.float32(variance[j]) + own) * deviates[j]


@entry
def add_noise(
    sums: NDArray[np.floating],
    start: int,
    count: int,
    variance: NDArray[np.floating],
    own: np.float32,
    steps: int,
    place: tuple[int, int, int],
    key: tuple[np.uint32, np.uint32],
) -> None:
    """Add N(0, variance + own) to ``count`` columns of ``sums`` [samples × steps, columns] from ``start`` on, in place.

    ``variance`` is laid out as ``sums``, or has no rows where there is only ``own``.  ``place``: the number of the first
    sample, of the row block and of the group of columns.  The counter of row n is (column, sample, upper word of the
    sample and row block, group and step), with sample = first + n // steps.
    """
    first, block, group = place
    words = np.empty((4, (count + 3) // 4), np.uint32)
    radii = np.empty(words.shape[1], np.float32)
    deviates = np.empty(words.size, np.float32)
    none = np.zeros(count, variance.dtype)
    for n in range(sums.shape[0]):
        sample, step = first + n // steps, n % steps
        upper, last = np.uint32((sample >> 32) << 16 | block), np.uint32(group << 16 | step)
        _philox(key[0], key[1], np.uint32(sample & 0xFFFFFFFF), upper, last, words)
        _fill(words, radii, deviates)
        spread = none if variance.shape[0] == 0 else variance[n, start : start + count]
        _add(sums[n, start : start + count], deviates[:count], spread, own)
