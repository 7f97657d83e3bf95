"""Sound like speech, in windows as silero-vad reads them: ``python -m benchmarks.speech FILE.npz``."""

from __future__ import annotations

import sys

import numpy as np
from scipy.signal import lfilter

RATE, HOP, CONTEXT = 16000, 512, 64

# formants and their bandwidths in Hz of five vowels (Peterson and Barney, JASA 1952, men)
VOWELS = [
    [(730, 80), (1090, 90), (2440, 120)],
    [(270, 60), (2290, 100), (3010, 120)],
    [(530, 70), (1840, 100), (2480, 120)],
    [(300, 60), (870, 90), (2240, 120)],
    [(570, 70), (840, 90), (2410, 120)],
]


def vowel(rng: np.random.Generator, seconds: float, pitch_hz: float, formants) -> np.ndarray:
    """Glottal pulses of a voice that rises and falls, through resonators."""
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = pitch_hz * (1 + 0.12 * np.sin(2 * np.pi * 1.7 * t))
    sound = lfilter([1], [1, -0.95], np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0.0))
    sound = sound + 0.003 * rng.standard_normal(len(t))
    for centre, width in formants:
        r = np.exp(-np.pi * width / RATE)
        sound = lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * centre / RATE), r * r], sound)
    sound = sound * np.clip(np.minimum(t / 0.03, (seconds - t) / 0.05), 0, 1)
    return sound / np.abs(sound).max()


def speech(rng: np.random.Generator, syllables: int) -> np.ndarray:
    parts = []
    for k in range(syllables):
        parts.append(vowel(rng, 0.16 + 0.08 * rng.random(), 110 + 40 * rng.random(), VOWELS[k % 5]))
        parts.append(0.08 * lfilter([1, -0.9], [1], rng.standard_normal(RATE // 20)))
    return 0.4 * np.concatenate(parts)


def frames() -> tuple[np.ndarray, np.ndarray]:
    """Windows [N, 576] of silence, speech, silence, and where there is speech all through."""
    rng = np.random.default_rng(0)
    spoken = speech(rng, 6)
    sound = np.concatenate([np.zeros(RATE * 3 // 5), spoken, np.zeros(RATE * 4 // 5)])
    voiced = np.concatenate([np.zeros(RATE * 3 // 5), np.ones(len(spoken)), np.zeros(RATE * 4 // 5)])
    sound = np.concatenate([np.zeros(CONTEXT), sound + 0.002 * rng.standard_normal(len(sound))]).astype(np.float32)
    count = len(voiced) // HOP
    windows = np.stack([sound[k * HOP : k * HOP + HOP + CONTEXT] for k in range(count)])
    return windows, np.array([voiced[k * HOP : (k + 1) * HOP].mean() for k in range(count)])


def main() -> None:
    (path,) = sys.argv[1:]
    np.savez(path, x=frames()[0])


if __name__ == "__main__":
    main()
