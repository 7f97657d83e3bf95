"""Silero VAD 6 (MIT licence) with its trained LSTM on analog arrays, on audio that is made here."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import onnxruntime
import pytest

from archsim.accuracy.analog import NOW
from archsim.accuracy.evaluate import Job, evaluate
from archsim.accuracy.results import Asked
from archsim.explore.accuracy import measure, points_of
from archsim.report.accuracy import write_accuracy
from benchmarks.speech import frames


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silero")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder), "silero-vad"]
    if subprocess.run(command, capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("the package index is not reachable, from which silero-vad comes")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [entry for entry in archive.namelist() if entry.endswith("silero_vad_16k_op15.onnx")]
        path = archive.extract(name, folder)
    windows, _ = frames()
    np.savez(folder / "frames.npz", x=windows)
    return path, str(folder / "frames.npz")


STREAM = {"carry": (("state", "stateN"),), "constants": (("sr", 16000.0),)}


@pytest.mark.slow
def test_the_network_hears_speech_on_analog_arrays_as_it_does_digitally(model, tmp_path):
    path, data = model
    windows, voiced = frames()
    exact = evaluate(Job(path, data, "", arithmetic="float", **STREAM)).outputs.ravel()
    session, state, reference = onnxruntime.InferenceSession(path), np.zeros((2, 1, 128), np.float32), []
    for window in windows:
        out, state = session.run(None, {"input": window[None], "state": state, "sr": np.array(16000)})
        reference.append(out.item())
    np.testing.assert_allclose(exact, reference, atol=1e-5)
    sure = np.convolve(voiced, np.ones(11) / 11, "same")  # not at the ends of speech
    assert exact[sure > 0.999].min() > 0.8
    assert exact[sure == 0].max() < 0.2

    asked = Asked(path, data, seeds=2, samples=len(windows), **STREAM)
    points, _ = points_of(["isaac-ce", "pcm-like"], [], NOW, None)
    result = measure(asked, points, None)
    isaac, pcm = result.points
    np.testing.assert_array_equal(isaac.analog[0].evaluation.outputs, isaac.digital.evaluation.outputs)
    names = [layer.name.rpartition("/")[2] for layer in pcm.analog[0].evaluation.layers]
    assert {"LSTM.W", "LSTM.R"} <= set(names)
    heard = np.stack([run.evaluation.outputs.ravel() for run in pcm.analog])
    assert heard[:, sure > 0.999].mean() - heard[:, sure == 0].mean() > 0.5
    assert ((heard > 0.5) == (exact > 0.5)).mean() > 0.9
    assert write_accuracy(result, tmp_path)
    assert (tmp_path / "outputs.png").stat().st_size > 20_000
