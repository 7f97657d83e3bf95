"""Standard normal numbers by counter: the same key and counter give the same bytes on any machine.

Philox4x32-10 (Salmon et al., SC 2011) turns a counter of 128 bits and a key of 64 into four words of 32 bits; two words
make two normal numbers after Box and Muller (1958):

    r = sqrt(-2 ln u1),   z1 = r cos(2 pi u2),   z2 = r sin(2 pi u2)

Logarithm, sine and cosine are polynomials in float32 with a fixed order of additions and multiplications, each of which
IEEE 754 rounds in one way only (the compiler contracts nothing without its fast-math flags), and so is the square
root.  No library function enters, whose last bit depends on the machine.  u1 has 32 bits, so |z| < 6.77; numbers are
right to 4e-6, but those of a radius below 1e-3 (one in two million), where float32 no longer tells u1 from 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import helper
from archsim.numeric._jit import kernel

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
def _philox(key: tuple[np.uint32, np.uint32], c1: np.uint32, c2: np.uint32, c3: np.uint32, words: Words) -> None:
    """The four words of the counters (q, c1, c2, c3), q = 0, 1, …, into the columns of ``words`` [4, lanes]."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for q in range(w0.shape[0]):
        x0, x1, x2, x3 = np.uint32(q), c1, c2, c3
        a, b = key
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
    """Normal numbers ``out`` [4, lanes] of ``words``; ``radii`` [lanes] is room to work in."""
    for pair in range(2):
        _radii(words[2 * pair], radii)
        _turns(words[2 * pair + 1], radii, out[2 * pair], out[2 * pair + 1])


@kernel
def normals(
    key: tuple[np.uint32, np.uint32], c1: np.uint32, c2: np.uint32, c3: np.uint32, lanes: int
) -> tuple[Words, Float32]:
    """Words [4, lanes] of the counters (q, c1, c2, c3), q = 0, 1, …, and the standard normal numbers made of them."""
    words, out = np.empty((4, lanes), np.uint32), np.empty((4, lanes), np.float32)
    _philox(key, c1, c2, c3, words)
    _fill(words, np.empty(lanes, np.float32), out)
    return words, out


@helper
def _add(sums: NDArray[np.floating], deviates: Float32, variance: NDArray[np.floating], own: np.float32) -> None:
    for j in range(sums.shape[0]):
        sums[j] += np.sqrt(np.float32(variance[j]) + own) * deviates[j]


@kernel
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

    ``variance`` is laid out as ``sums``, or has no rows where there is only ``own``.  ``place``: the number of the
    first sample, of the row block and of the group of columns.  Row n is step n % steps of sample first + n // steps,
    in all the reads the row N = first steps + n; its column q takes word N % 4 of the counter (q, N // 4, upper word
    of N // 4 and row block, group).
    """
    first, block, group = place
    words = np.empty((4, count), np.uint32)
    radii = np.empty(count, np.float32)
    deviates = np.empty((4, count), np.float32)
    none = np.zeros(count, variance.dtype)
    before = first * steps
    n = 0
    while n < sums.shape[0]:
        four, word = (before + n) // 4, (before + n) % 4
        _philox(key, np.uint32(four & 0xFFFFFFFF), np.uint32((four >> 32) << 16 | block), np.uint32(group), words)
        _fill(words, radii, deviates)
        while word < 4 and n < sums.shape[0]:
            spread = none if variance.shape[0] == 0 else variance[n, start : start + count]
            _add(sums[n, start : start + count], deviates[word], spread, own)
            word += 1
            n += 1
