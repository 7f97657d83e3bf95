"""The drawn letters, and what is tested with."""

import numpy as np

from archsim.accuracy.letters import LETTERS, PIXELS, drawn, flipped


def test_there_are_ten_different_versions_of_each_of_the_four_letters() -> None:
    patterns, classes = drawn()
    assert LETTERS == "ATVX"
    assert patterns.shape == (40, PIXELS)
    assert set(np.unique(patterns)) == {-1, 1}
    assert np.bincount(classes).tolist() == [10] * 4
    assert len(np.unique(patterns, axis=0)) == 40


def test_no_flipped_pixel_makes_one_letter_a_drawn_version_of_another() -> None:
    patterns, classes = drawn()
    apart = (patterns[:, None] != patterns).sum(-1)
    assert apart[classes[:, None] != classes].min() == 2


def test_the_test_has_each_pattern_with_each_pixel_flipped_once() -> None:
    (patterns, classes), (tests, of) = drawn(), flipped()
    assert tests.shape == (640, PIXELS)
    flips = (tests.reshape(40, PIXELS, PIXELS) != patterns[:, None]).astype(int)
    assert (flips == np.eye(PIXELS)).all()
    assert (of.reshape(40, PIXELS) == classes[:, None]).all()


def test_the_first_version_of_t_reads_as_drawn() -> None:
    patterns, classes = drawn()
    first = patterns[classes == LETTERS.index("T")][0].reshape(4, 4)
    assert ["".join(".#"[int(pixel > 0)] for pixel in row) for row in first] == ["####", ".#..", ".#..", ".#.."]
