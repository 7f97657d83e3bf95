from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from archsim.accuracy.data import BUILT_IN, load_data, split
from archsim.errors import ArchsimError


def idx(path, array, kind=8):
    body = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)


@pytest.mark.parametrize(("name", "shape", "tested"), [("digits", (1, 8, 8), 500), ("mnist", (1, 28, 28), 1000)])
def test_a_built_in_set_tests_on_what_was_not_trained_on(name, shape, tested):
    (known, _), (unseen, labels) = split(name)
    assert known.shape == (BUILT_IN[name], *shape)
    assert unseen.shape == (tested, *shape)
    assert 0.0 == unseen.min() < unseen.max() == 1.0
    assert np.bincount(labels).min() > tested // 15
    data = load_data(name)
    np.testing.assert_array_equal(data.inputs[""], unseen)
    assert data.calibration is not None
    np.testing.assert_array_equal(data.calibration[""], known)
    seen = {image.tobytes() for image in known}
    assert sum(image.tobytes() in seen for image in unseen) == 0


def test_an_npz_file_has_inputs_and_labels(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.zeros((3, 4), np.float32), y=np.eye(2)[[0, 1, 1]])
    data = load_data(str(path))
    assert list(data.inputs) == [""]
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1]
    np.savez(path, first=np.zeros((3, 4)), second=np.zeros((3, 1)))
    assert list(load_data(str(path)).inputs) == ["first", "second"]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_idx_file_finds_its_labels_beside_it(tmp_path, ending):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    idx(tmp_path / f"t10k-images-idx3-ubyte{ending}", pixels)
    idx(tmp_path / f"t10k-labels-idx1-ubyte{ending}", np.array([4, 7], np.uint8))
    data = load_data(str(tmp_path / f"t10k-images-idx3-ubyte{ending}"))
    np.testing.assert_allclose(data.inputs[""][:, 0], pixels / 255.0, rtol=1e-6)
    assert data.labels is not None
    assert data.labels.tolist() == [4, 7]


def test_a_folder_of_images_has_a_folder_for_each_class(tmp_path):
    for number, (name, mode) in enumerate((("cat", "L"), ("dog", "L"))):
        (tmp_path / name).mkdir()
        for k in range(2):
            Image.new(mode, (5, 4), 100 * number + k).save(tmp_path / name / f"{k}.png")
    data = load_data(str(tmp_path))
    assert data.inputs[""].shape == (4, 1, 4, 5)
    assert data.classes == ("cat", "dog")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.inputs[""][3].max() == pytest.approx(101 / 255)


def test_images_of_two_sizes_are_refused(tmp_path):
    (tmp_path / "one").mkdir()
    Image.new("L", (5, 4)).save(tmp_path / "one" / "a.png")
    Image.new("L", (4, 4)).save(tmp_path / "one" / "b.png")
    with pytest.raises(ArchsimError, match=r"images of one size are needed, got \[\(1, 4, 4\), \(1, 4, 5\)\]"):
        load_data(str(tmp_path))


def test_a_name_that_is_no_data_set_is_refused_with_the_nearest():
    with pytest.raises(ArchsimError) as caught:
        load_data("digit")
    assert str(caught.value) == "--data: no data set 'digit'; did you mean 'digits'?"


def test_files_that_are_no_data_are_refused(tmp_path):
    cases = {
        "cut.npz": (b"PK\x03\x04 no archive", "cannot be read"),
        "labels-idx1": (
            b"\0\0\x08\x01\0\0\0\x09abc",
            r"it is cut off: an array of the shape \[9\] takes 9 bytes, got 3",
        ),
        "bad-idx": (b"\1\2\3\4", "no idx file"),
        "data.csv": (b"1,2", "expected a .npz file, an idx file or a folder of images"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArchsimError, match=message):
            load_data(str(tmp_path / name))
    np.savez(tmp_path / "odd.npz", x=np.zeros((3, 2)), z=np.zeros((4, 2)))
    with pytest.raises(ArchsimError, match=r"expected arrays of equally many samples, got x \[3, 2\], z \[4, 2\]"):
        load_data(str(tmp_path / "odd.npz"))
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ArchsimError, match="cannot be read"):
        load_data(str(tmp_path / "pickled.npz"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchsimError, match="has no folders with images"):
        load_data(str(tmp_path / "empty"))
