"""Normal numbers by counter: Philox4x32-10 by its published vectors, Box and Muller by NumPy."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from archsim.numeric._random import add_noise, normals

U = np.uint32


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 in Python integers, after Salmon et al., SC 2011."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_the_words_are_those_of_the_published_test_vector() -> None:
    """Random123's kat_vectors: philox4x32-10 of counter 0 and key 0."""
    words, _ = normals((U(0), U(0)), U(0), U(0), U(0), 1)
    assert [hex(word) for word in words[:, 0]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


def test_the_words_follow_key_and_counter() -> None:
    words, _ = normals((U(0xA4093822), U(0x299F31D0)), U(5), U(6), U(0xFFFFFFFF), 9)
    expected = [philox((q, 5, 6, 0xFFFFFFFF), (0xA4093822, 0x299F31D0)) for q in range(9)]
    assert words.T.tolist() == expected


def test_the_normal_numbers_are_box_and_mullers() -> None:
    """To 4e-6, but where u1 is so close to 1 that float32 does not tell it from 1: there r is below 1e-3 and lost."""
    words, z = normals((U(3), U(4)), U(5), U(6), U(7), 20_000)
    for pair in (0, 2):
        r = np.sqrt(-2 * np.log((words[pair] + 0.5) * 2.0**-32))
        t = np.pi * words[pair + 1].view(np.int32) * 2.0**-31
        near = r > 0.02
        np.testing.assert_allclose(z[pair, near], (r * np.cos(t))[near], atol=4e-6)
        np.testing.assert_allclose(z[pair + 1, near], (r * np.sin(t))[near], atol=4e-6)
        np.testing.assert_allclose(z[pair], r * np.cos(t), atol=4e-4)


def test_the_numbers_are_standard_normal_and_uncorrelated() -> None:
    z = np.concatenate([normals((U(1), U(2)), U(row), U(0), U(0), 1000)[1] for row in range(250)], axis=1)
    assert abs(z.mean()) < 4e-3
    assert z.var() == pytest.approx(1.0, abs=6e-3)
    assert stats.kurtosis(z, axis=None) == pytest.approx(0.0, abs=0.02)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z) - np.eye(4)).max() < 0.01
    assert (np.abs(z) > 4).mean() == pytest.approx(2 * stats.norm.sf(4), rel=0.5)


def test_the_bytes_are_those_of_every_other_machine() -> None:
    """Only correctly rounded operations in a fixed order make them; a changed digest is a changed result."""
    _, z = normals((U(11), U(12)), U(13), U(14), U(15), 4096)
    assert hashlib.sha256(z.tobytes()).hexdigest()[:16] == "01d809b5e216c055"


def noisy(rows: int, first: int, **changed: int) -> np.ndarray:
    place = (first, changed.get("block", 0), changed.get("group", 0))
    sums = np.zeros((rows, 12), np.float32)
    add_noise(sums, 2, 8, np.ones_like(sums), np.float32(0), 3, place, (U(1), U(changed.get("key", 2))))
    return sums


def test_noise_goes_by_the_number_of_the_read_however_reads_are_cut() -> None:
    whole = noisy(12, 5)
    np.testing.assert_array_equal(whole, np.concatenate([noisy(3, 5), noisy(6, 6), noisy(3, 8)]))
    assert not whole[:, :2].any()
    assert not whole[:, 10:].any()
    assert len(np.unique(whole[:, 2:10])) == whole[:, 2:10].size


@pytest.mark.parametrize("other", [{"block": 1}, {"group": 1}, {"key": 3}])
def test_blocks_groups_and_seeds_have_noise_of_their_own(other: dict[str, int]) -> None:
    assert not np.isin(noisy(12, 5)[:, 2:10], noisy(12, 5, **other)[:, 2:10]).any()


def test_reads_beyond_two_to_the_32_have_noise_of_their_own() -> None:
    assert not np.isin(noisy(3, 2**34 + 5)[:, 2:10], noisy(3, 5)[:, 2:10]).any()


def test_the_variance_is_that_of_the_cells_and_of_the_converter_together() -> None:
    sums = np.zeros((20_000, 4))
    variance = np.tile(np.array([0.0, 1.0, 4.0, 0.0]), (20_000, 1))
    add_noise(sums, 0, 3, variance, np.float32(0.25), 1, (0, 0, 0), (U(1), U(2)))
    np.testing.assert_allclose(sums.var(axis=0), [0.25, 1.25, 4.25, 0.0], rtol=0.04)


@pytest.mark.slow
def test_a_processor_without_vector_instructions_makes_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from archsim.numeric._random import normals; U = np.uint32;"
        "print(normals((U(11), U(12)), U(13), U(14), U(15), 4096)[1].tobytes().hex())"
    )
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], env=plain, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == normals((U(11), U(12)), U(13), U(14), U(15), 4096)[1].tobytes().hex()
