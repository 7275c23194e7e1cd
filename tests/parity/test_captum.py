"""Captum's LRP where it is right, chains of layers, in its dialect and float64: 1e-8 of the largest value.

In captum a BatchNormalization and a max pooling are epsilon layers of their own.
"""

from __future__ import annotations

import compared
import nets
import peers
import pytest
import torch
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule

import explainer

# Our composite in captum's dialect, and captum's rule for layers with weights.
RULES = {
    "captum": (("captum", {}), EpsilonRule),
    "epsilon": (("epsilon", {"eps": 1e-9}), EpsilonRule),
    "gamma": (("gamma", {}), GammaRule),
    "gamma 0.1": (("gamma", {"gamma": 0.1}), lambda: GammaRule(gamma=0.1)),
    "zplus": (("zplus", {}), Alpha1_Beta0_Rule),
}


@pytest.mark.parametrize("rule", compared.CAPTUM_RULES)
@pytest.mark.parametrize("name", compared.CHAINS)
def test_same_relevance(name, rule, file, network, x, agree):
    composite, theirs = RULES[rule]
    explanation = explainer.explain(
        file(name), x.numpy(), composite=composite, dialect="captum", dtype="float64"
    )
    target = torch.from_numpy(explanation.target)
    relevance = peers.by_captum(nets.double(network(name)), x.double(), target, theirs)
    comparison = explainer.compare(explanation.relevance, relevance.numpy())
    compared.BY_CAPTUM.record(rule, name, comparison.error)
    agree(comparison, compared.DEEP)


def test_merging_changes_what_epsilon_takes_and_nothing_else(file, network, x):
    explanation = explainer.explain(file("vgg11_bn"), x.numpy(), eps=1e-9, dtype="float64")
    target = torch.from_numpy(explanation.target)
    theirs = peers.by_captum(nets.double(network("vgg11_bn")), x.double(), target, EpsilonRule)
    assert 1e-8 < explainer.compare(explanation.relevance, theirs.numpy()).error < 1e-3
