"""What the letters lose from software to the two crossbars of Merrikh Bayat et al., Nat. Commun. 9, 2331 (2018).

A perceptron is trained in software, imported into simulated crossbars and read there, once for each of many chips:
with other weights to start from, other stuck devices and other errors of the import.  The paper made one chip; its
losses are to be compared with the distribution of these.  Nothing here knows them.

The paper does not give the voltage that an output neuron is trained to, and it matters.  The further apart outputs are
to be, the more of the range of conductances do the weights fill, and the smaller is an error beside them; until weights
that are clipped to that range cannot learn the patterns any more.  :func:`study` takes, of the halves of the most that
an array can give, the highest for which more than half of the networks learn all drawn patterns at their first start.
That is decided in software alone.  For the same reason weights are scaled up until they fill their range
(:func:`archsim.accuracy.training.filled`), which costs the network in software next to nothing; what the hardware loses
without that is found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from archsim.accuracy.letters import drawn, flipped
from archsim.accuracy.letters_training import Chips, software, tuned
from archsim.accuracy.loading import Loading, loading
from archsim.accuracy.merrikh_bayat import EFFECTS, Crossbars, Demonstrator
from archsim.accuracy.training import Perceptron
from archsim.errors import ArchsimError
from archsim.numeric.config import Effect

__all__ = ["CASES", "TARGETS", "Case", "Letters", "LettersStudy", "study"]

Floats = NDArray[np.float64]
Told = Callable[[str], None]

TARGETS = (0.125, 0.25, 0.5, 1.0)
"""Outputs that are trained for, as shares of the most that an array can give."""

MOST = 100_000
"""Networks of one study."""

START, CHIP, NOISE = range(3)
"""What a random stream is for; the seed, the number of the network and this are its key."""


@dataclass(frozen=True)
class Case:
    """What is read: a network (``plain``; ``known``: trained for the stuck devices of its chip; either after
    noise-aware fine-tuning), with which effects, and with which share of stuck devices if not the library's."""

    network: str
    effects: frozenset[Effect] = EFFECTS
    stuck_share: float | None = None


PUBLISHED = ("defects unknown", "defects known")
"""The cases that the paper has."""

CASES = {
    "defects unknown": Case("plain"),
    "defects known": Case("known"),
    "unknown, noise-aware": Case("plain, tuned"),
    "known, noise-aware": Case("known, tuned"),
    "unknown, 1 % stuck": Case("plain", stuck_share=0.01),
    "unknown, 2.5 % stuck": Case("plain", stuck_share=0.025),
    "import tolerance alone": Case("plain", frozenset({"programming"})),
    "stuck devices alone": Case("plain", frozenset({"stuck"})),
    "line resistance alone": Case("plain", frozenset({"wires"})),
}


@dataclass(frozen=True)
class Letters:
    """Networks that were trained for one target, and what they got right, in percent, [networks] each: of the drawn and
    of the flipped patterns, in software and by case in hardware."""

    target: float
    filled: bool
    """Whether weights were scaled up until they fill their range."""
    learned: NDArray[np.bool_]
    """Which had learned all drawn patterns at the first start."""
    weights_rms: tuple[float, ...]
    """Of each layer, as shares of the range."""
    software: tuple[Floats, Floats]
    hardware: dict[str, tuple[Floats, Floats]]

    def losses(self, case: str) -> tuple[Floats, Floats]:
        """Percentage points from software to hardware, of the drawn and of the flipped patterns."""
        of_drawn, of_flipped = self.hardware[case]
        return self.software[0] - of_drawn, self.software[1] - of_flipped


@dataclass(frozen=True)
class LettersStudy:
    """``by_target``: one for each target that was tried, with the cases of the paper, and last the chosen target with
    weights that do not fill their range.  ``chosen`` has all cases.  ``stuck``: stuck devices of each chip.
    ``loading``: the import of the first network."""

    seed: int
    hardware: Demonstrator
    by_target: tuple[Letters, ...]
    chosen: Letters
    stuck: NDArray[np.int64]
    loading: Loading


def study(networks: int, seed: int = 0, target: float | None = None, told: Told = lambda _: None) -> LettersStudy:
    """The study with so many networks, each on its chip; with ``target`` None it is chosen.  ``told`` hears of each
    step.

    The first networks of a larger study with the same target are those of a smaller one.
    """
    if not 1 <= networks <= MOST:
        raise ArchsimError(f"--seeds: expected 1 to {MOST}, got {networks}")
    if seed < 0:
        raise ArchsimError(f"--seed: expected at least 0, got {seed}")
    if target is not None and not 0.0 < target <= 1.0:
        raise ArchsimError(f"--target: expected a share of the full output above 0 and at most 1, got {target:g}")
    lab = _Laboratory(Demonstrator(), seed, networks)
    tried = []
    for share in TARGETS if target is None else (target,):
        told(f"training for {share:g} of the full output")
        trained, learned = lab.trained(share)
        tried.append((_letters(lab, share, trained, learned, PUBLISHED), trained))
    able = [one for one in tried if one[0].learned.mean() > 0.5]
    letters, trained = able[-1] if able else tried[0]
    told("noise-aware training")
    trained |= lab.tuned(trained, letters.target)
    told("reading the hardware")
    rest = _letters(lab, letters.target, trained, letters.learned, [case for case in CASES if case not in PUBLISHED])
    chosen = replace(letters, hardware=letters.hardware | rest.hardware)
    told("training without filling the range")
    sparing, learned = lab.trained(letters.target, fill=False)
    unfilled = replace(_letters(lab, letters.target, sparing, learned, PUBLISHED), filled=False)
    by_target = (*(one for one, _ in tried), unfilled)
    return LettersStudy(seed, lab.hardware, by_target, chosen, lab.stuck, lab.loading(trained["plain"]))


def _letters(
    lab: _Laboratory, target: float, trained: dict[str, Perceptron], learned: NDArray[np.bool_], cases: Iterable[str]
) -> Letters:
    plain = trained["plain"]
    scores = [
        100.0 * plain.accuracy(patterns.astype(np.float64), classes) for patterns, classes in (drawn(), flipped())
    ]
    rms = tuple(float(np.sqrt(np.square(w).mean())) for w in plain.weights)
    read = {case: lab.read(trained[CASES[case].network], CASES[case]) for case in cases}
    return Letters(target, True, learned, rms, (scores[0], scores[1]), read)


@dataclass(frozen=True)
class _Laboratory:
    """The chips of a study, and what is done with networks on them."""

    hardware: Demonstrator
    seed: int
    networks: int

    def crossbars(self, stuck_share: float | None = None) -> list[Crossbars]:
        """One for each network, the same each time but for how many of their devices are stuck."""
        hardware = replace(self.hardware, stuck_share=stuck_share)
        return [Crossbars(hardware, (self.seed, number, CHIP)) for number in range(self.networks)]

    @cached_property
    def untested(self) -> Chips:
        """The pairs of each chip, with nothing known of them."""
        return [chip.pairs(known=False) for chip in self.crossbars()]

    @cached_property
    def tested(self) -> Chips:
        """The same, with the stuck devices known."""
        return [chip.pairs(known=True) for chip in self.crossbars()]

    @property
    def stuck(self) -> NDArray[np.int64]:
        """Stuck devices of each chip."""
        found = [[pair.stuck_s for pair in own if pair.stuck_s is not None] for own in self.tested]
        return np.array([sum(int((~np.isnan(cells)).sum()) for cells in own) for own in found])

    def trained(self, target: float, fill: bool = True) -> tuple[dict[str, Perceptron], NDArray[np.bool_]]:
        """The networks ``plain`` and ``known``, and which of the first were trained at the first start."""
        plain, learned = software(self.hardware, self.untested, self._streams(START), target, fill)
        known, _ = software(self.hardware, self.tested, self._streams(START), target, fill)
        return {"plain": plain, "known": known}, learned

    def tuned(self, trained: dict[str, Perceptron], target: float) -> dict[str, Perceptron]:
        """The same networks after noise-aware fine-tuning."""
        pairs = {"plain": self.untested, "known": self.tested}
        return {
            f"{name}, tuned": tuned(network, self.hardware, pairs[name], self._streams(NOISE), target)
            for name, network in trained.items()
        }

    def read(self, network: Perceptron, case: Case) -> tuple[Floats, Floats]:
        """What each network gets right on its chip, in percent of the drawn and of the flipped patterns."""
        pairs = self.tested if case.network.startswith("known") else self.untested
        sets = drawn(), flipped()
        out = np.empty((2, self.networks))
        for number, (chip, own) in enumerate(zip(self.crossbars(case.stuck_share), pairs, strict=True)):
            asked = [pair.command(w[number]) for pair, w in zip(own, network.weights, strict=True)]
            arrays = chip.loaded(asked, case.effects)
            for row, (patterns, classes) in enumerate(sets):
                out[row, number] = 100.0 * (chip.classify(arrays, patterns) == classes).mean()
        return out[0], out[1]

    def loading(self, network: Perceptron) -> Loading:
        """What the import of the first network takes."""
        arrays = self.crossbars()[0].loaded([w[0] for w in network.weights])
        return loading({f"crossbar {layer + 1}": matrix for layer, matrix in enumerate(arrays)})

    def _streams(self, purpose: int) -> list[Generator]:
        return [np.random.default_rng([self.seed, number, purpose]) for number in range(self.networks)]
