"""The drawn letters, and what is tested with."""

import numpy as np
import onnxruntime

from archsim import library
from archsim.accuracy.data import load_data
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


def test_as_a_data_set_the_letters_calibrate_with_what_was_drawn_and_test_with_what_was_flipped() -> None:
    data = load_data("letters")
    assert data.calibration is not None
    assert data.labels is not None
    assert data.inputs[""].shape == (640, 1, 4, 4)
    assert (data.inputs[""].reshape(640, 16) == flipped()[0]).all()
    assert (data.calibration[""].reshape(40, 16) == drawn()[0]).all()
    assert np.array_equal(data.labels, flipped()[1])
    assert data.classes == ("A", "T", "V", "X")


def test_the_shipped_network_is_what_its_script_makes_and_has_learned_the_letters() -> None:
    from benchmarks.trained import RECIPES, model_of, train

    path = library.trained()["letters-mlp"]
    recipe = RECIPES["letters-mlp"]
    made = model_of("letters-mlp", recipe, train(recipe))
    assert made.SerializeToString(deterministic=True) == path.read_bytes()
    session = onnxruntime.InferenceSession(str(path))
    right = [
        int(session.run(None, {"image": pixels.reshape(1, 1, 4, 4).astype(np.float32)})[0].argmax()) == letter
        for pixels, letter in zip(*drawn(), strict=True)
    ]
    assert all(right)
