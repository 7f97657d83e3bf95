"""Suites of benchmarks: two papers' networks, designs and published averages, with which nothing computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archsim.errors import ArchsimError, nearest

__all__ = ["SUITES", "Case", "Figure", "Suite", "suite"]


@dataclass(frozen=True)
class Case:
    """A design of a suite: what its rows are called, the chip, and what is changed of it, with the reason."""

    label: str
    chip: str
    set: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Figure:
    """What a paper prints of a suite, and the ratios of archsim that stand beside it: none where nothing of the kind is
    simulated."""

    name: str
    metrics: tuple[str, ...]
    value: str
    status: str
    source: str


@dataclass(frozen=True)
class Suite:
    """``design`` over ``baseline`` on ``networks``, on boards of at least ``chips`` chips."""

    name: str
    title: str
    design: Case
    baseline: Case
    networks: tuple[str, ...]
    chips: int
    readings: tuple[Case, ...] = ()
    """Baseline or design with something changed, which stand beside as rows of their own."""
    published: tuple[Figure, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    """Of a network: what the paper calls it."""

    @property
    def cases(self) -> tuple[Case, ...]:
        """All designs, the baseline first."""
        return (self.baseline, self.design, *self.readings)


S6 = "full-text notes on Shafiee et al., ISCA 2016, and its abstract"

ISAAC = Suite(
    name="isaac-benchmarks",
    title="ISAAC's networks on ISAAC-CE and on DaDianNao (Shafiee et al., ISCA 2016)",
    design=Case("isaac-ce", "isaac-ce"),
    baseline=Case("dadiannao", "dadiannao"),
    networks=("vgg-a", "vgg-c", "vgg16", "vgg19", "msra-a", "msra-b", "msra-c", "deepface", "dnn-private"),
    chips=16,
    readings=(
        Case(
            "dadiannao-128b",
            "dadiannao",
            ("tile.components.bus.bandwidth=9.696 GB/s",),
            "every step's 16 values come over the chip's bus of 128 bits, 8 a cycle, and are not kept in the unit",
        ),
        Case(
            "isaac-ce-free",
            "isaac-ce",
            ("noc.bandwidth=4000 GB/s", "components.hyper_transport.bandwidth=6400 GB/s"),
            "links on and between chips a thousand times as fast, so that none of them binds",
        ),
    ),
    published=(
        Figure("throughput over DaDianNao", ("throughput",), "14.8", "verified_2src", S6),
        Figure("energy of DaDianNao over ISAAC-CE", ("energy gated", "energy always on"), "5.5", "verified_2src", S6),
        Figure("power over DaDianNao", ("power gated", "power always on"), "1.95", "verified", "notes: + 95 %"),
        Figure("computational density over DaDianNao", ("peak/mm2",), "7.5", "verified_2src", f"{S6}; Table IV"),
        Figure("power efficiency over DaDianNao", ("peak/W",), "2.19", "verified_2src", "text: + 119 %; Table IV"),
    ),
    notes={"vgg-a": "VGG-1", "vgg-c": "VGG-2", "vgg16": "VGG-3", "vgg19": "VGG-4"}
    | {"msra-a": "MSRA-1", "msra-b": "MSRA-2", "msra-c": "MSRA-3", "deepface": "DeepFace", "dnn-private": "DNN"},
)

GPU = (
    "full-text notes on Ankit et al., ASPLOS 2019; the GPU is of the Pascal generation, and archsim has no model of it"
)

PUMA = Suite(
    name="puma-benchmarks",
    title="PUMA's networks on PUMA and on DaDianNao (Ankit et al., ASPLOS 2019)",
    design=Case("puma", "puma"),
    baseline=Case("dadiannao", "dadiannao"),
    networks=("mlp-l4", "mlp-l5", "nmt-l3", "nmt-l5", "biglstm", "lstm-2048", "vgg16", "vgg19"),
    chips=1,
    published=(
        Figure("energy of the GPU over PUMA: VGG16, VGG19", (), "11.7 to 13.0", "verified", GPU),
        Figure("energy of the GPU over PUMA: MLP-L4, MLP-L5", (), "30.2 to 80.1", "verified", GPU),
        Figure("energy of the GPU over PUMA: NMT-L3, NMT-L5", (), "2302 to 2446", "verified", GPU),
        Figure("energy of the GPU over PUMA: BigLSTM, LSTM-2048", (), "758 to 1336", "verified", GPU),
        Figure("latency of the GPU over PUMA: VGG16, VGG19", (), "2.73 to 2.99", "verified", GPU),
        Figure("latency of the GPU over PUMA: MLP-L4, MLP-L5", (), "0.24 to 0.40", "verified", GPU),
        Figure("latency of the GPU over PUMA: NMT-L3, NMT-L5", (), "41.6 to 66.0", "verified", GPU),
        Figure("latency of the GPU over PUMA: BigLSTM, LSTM-2048", (), "4.70 to 5.24", "verified", GPU),
    ),
)

SUITES = {suite.name: suite for suite in (ISAAC, PUMA)}


def suite(name: str, networks: Sequence[str] = (), *, readings: bool = True) -> Suite:
    """The suite of that name, with only some of its networks if ``networks`` names any, or without its readings."""
    found = SUITES[name] if readings else replace(SUITES[name], readings=())
    for network in networks:
        if network not in found.networks:
            hint = nearest(network, found.networks) or f"; it has {', '.join(found.networks)}"
            raise ArchsimError(f"--workload: {name} has no network {network!r:.100}{hint}")
    return replace(found, networks=tuple(n for n in found.networks if n in networks)) if networks else found
