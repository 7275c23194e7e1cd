"""Every preset on networks: zennit's against zennit itself, iNNvestigate's against its layer map in zennit.

Float64 end to end: 1e-8 of the largest value. The walk alone, float32 against float64 on the same
activations: 1e-5. (Float32 end to end is told by `benchmarks/parity.py`, over seeds: on one input a few
pre-activations near 0 decide it.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import compared
import innvestigate
import nets
import numpy as np
import peers
import pytest
import torch
import walks
import zennit.composites
from zennit.composites import LayerMapComposite
from zennit.rules import AlphaBeta, Flat, Gamma, WSquare, ZPlus

import explainer
from explainer import composites

LOW, HIGH = -2.5, 3.0


class Peer(NamedTuple):
    """The peer's composite, our composite's parameters, and where relevance starts."""

    make: Callable[[], zennit.core.Composite]
    parameters: Mapping[str, Any] = MappingProxyType({})
    start: str = "output"


ZENNIT = {
    "epsilon": Peer(lambda: peers.epsilon(1e-6)),
    "zero": Peer(peers.zero),
    "zplus": Peer(lambda: peers.everywhere(ZPlus())),
    "alpha1_beta0": Peer(lambda: peers.everywhere(AlphaBeta(1, 0))),
    "alpha2_beta1": Peer(lambda: peers.everywhere(AlphaBeta(2, 1))),
    "gamma": Peer(lambda: peers.everywhere(Gamma(0.25))),
    "wsquare": Peer(lambda: peers.everywhere(WSquare())),
    "flat": Peer(lambda: peers.everywhere(Flat())),
    "epsilon_plus": Peer(zennit.composites.EpsilonPlus),
    "epsilon_plus_flat": Peer(zennit.composites.EpsilonPlusFlat),
    "epsilon_alpha2_beta1": Peer(zennit.composites.EpsilonAlpha2Beta1),
    "epsilon_alpha2_beta1_flat": Peer(zennit.composites.EpsilonAlpha2Beta1Flat),
    "epsilon_gamma_box": Peer(
        lambda: zennit.composites.EpsilonGammaBox(LOW, HIGH), {"low": LOW, "high": HIGH}
    ),
    "excitation_backprop": Peer(zennit.composites.ExcitationBackprop, start="one"),
    "gradient": Peer(lambda: LayerMapComposite([]), start="one"),
    "guided_backprop": Peer(zennit.composites.GuidedBackprop, start="one"),
    "deconvnet": Peer(zennit.composites.DeconvNet, start="one"),
    "beta_smooth": Peer(zennit.composites.BetaSmooth, start="one"),
    "recommended": Peer(peers.recommended),
}
BOX = {"bounded_deep_taylor": {"low": LOW, "high": HIGH}}
INNVESTIGATE = {
    name: Peer(lambda made=made: made, BOX.get(name, {}))
    for name, made in innvestigate.presets(LOW, HIGH).items()
}
PEERS = ZENNIT | INNVESTIGATE
# Where a preset that is flat up to some layer stops being so, and all the layers up to there.
UNTIL = {
    "vgg16_bn": ("features.7", ["features.0", "features.3", "features.7"]),
    "resnet18": ("layer1.1.conv2", ["conv1", *(f"layer1.{i}.conv{k}" for i in (0, 1) for k in (1, 2))]),
}


def ours(path, name: str, **options: Any) -> explainer.Explainer:
    return explainer.Explainer(path, composite=(name, PEERS[name].parameters), **options)


def test_every_preset_is_compared():
    assert set(zennit.composites.COMPOSITES) <= set(ZENNIT)
    rows = {row for section in compared.SECTIONS for row, _ in section.errors}
    # With LXT's own numbers: test_transformers; times x, libragrad is cp_lrp.
    # CP-LRP with γ is that with γ's rule at layers with weights: test_transformers.
    transformers = {"attnlrp", "cp_lrp", "cp_lrp_gamma", "libragrad"}
    assert set(composites.COMPOSITES) - transformers <= rows
    assert {row for row, _ in compared.WALKS.errors} == set(PEERS)


@pytest.mark.parametrize(("preset", "name"), compared.WALKS.errors)
def test_same_relevance(preset, name, file, network, x, agree):
    peer, x = PEERS[preset], x[:1]
    explanation = ours(file(name), preset, dtype="float64").explain(x.numpy(), start=peer.start)
    target = torch.from_numpy(explanation.target)
    start = peers.one if peer.start == "one" else peers.logit
    theirs, _ = peers.by_zennit(nets.double(network(name)), x.double(), target, peer.make(), start)
    comparison = explainer.compare(explanation.relevance, theirs.numpy())
    section = compared.BY_ZENNIT if preset in ZENNIT else compared.BY_INNVESTIGATE
    section.record(preset, name, comparison.error)
    agree(comparison, compared.DEEP, "zennit")


@pytest.mark.parametrize(("preset", "name"), compared.WALKS.errors)
def test_float32_walks_as_float64_does(preset, name, file, x, agree):
    plan = ours(file(name), preset).plan
    activations = walks.forward(plan, {"input": x.numpy()[:1]})
    R = np.eye(nets.CLASSES)[[3]]
    narrow, wide = (walks.walk(plan, activations, R, np.dtype(t)) for t in ("float32", "float64"))
    comparison = explainer.compare(narrow, wide)
    compared.WALKS.record(preset, name, comparison.error)
    agree(comparison, compared.WALK)


@pytest.mark.parametrize("name", compared.FOLDED)
@pytest.mark.parametrize("preset", compared.INNVESTIGATE_PRESETS)
def test_same_relevance_in_innvestigates_dialect(preset, name, file, network, x, agree):
    """On a file without BatchNormalization: Keras models keep theirs, and no rule for it is common ground."""
    path, x = file(name, batchnorm="fold"), x[:1]
    explanation = ours(path, preset, dialect="innvestigate", dtype="float64").explain(x.numpy())
    target = torch.from_numpy(explanation.target)
    made = innvestigate.own_presets(LOW, HIGH)[preset]
    theirs, _ = peers.by_zennit(nets.folded(network(name), path), x.double(), target, made)
    comparison = explainer.compare(explanation.relevance, theirs.numpy())
    compared.IN_DIALECT.record(preset, name, comparison.error)
    agree(comparison, compared.DEEP)


@pytest.mark.parametrize("name", UNTIL)
@pytest.mark.parametrize("letter", ["a", "b"])
def test_flat_until_a_node(letter, name, file, network, x, agree):
    path, model, x = file(name), nets.double(network(name)), x[:1]
    last, names = UNTIL[name]
    preset = f"sequential_preset_{letter}_flat_until"
    parameters = {"until": nets.node_of(model, path, last)}
    explanation = explainer.explain(path, x.numpy(), composite=(preset, parameters), dtype="float64")
    rest = innvestigate.presets(LOW, HIGH)[f"sequential_preset_{letter}"]
    made = innvestigate.flat_until(names, rest)
    theirs, _ = peers.by_zennit(model, x.double(), torch.from_numpy(explanation.target), made)
    comparison = explainer.compare(explanation.relevance, theirs.numpy())
    compared.BY_INNVESTIGATE.record(preset, name, comparison.error)
    agree(comparison, compared.DEEP)
