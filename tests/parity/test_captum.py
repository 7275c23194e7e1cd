"""Captum's LRP where it is right, chains of layers, in float64: 1e-8 of the largest value.

In captum a BatchNormalization is an epsilon layer of its own. Ours is one too behind a convolution
whose output is kept: that is a boundary, and nothing is merged across it.
"""

from __future__ import annotations

import nets
import onnx
import peers
import pytest
import torch

import explainer

EPS = 1e-9  # captum's own


@pytest.mark.parametrize("eps", [EPS, 0.1])
@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn"])
def test_same_relevance(name, exporter, eps, file, network, x, agree):
    path = file(name, exporter)
    convolutions = [node.output[0] for node in onnx.load(path).graph.node if node.op_type == "Conv"]
    keep = convolutions if name == "vgg11_bn" else ()
    explanation = explainer.explain(path, x.numpy(), eps=eps, dtype="float64", keep=keep)
    target = torch.from_numpy(explanation.target)
    theirs = peers.by_captum(nets.double(network(name)), x.double(), target, eps)
    comparison = explainer.compare(explanation.relevance, theirs.numpy())
    agree(comparison, 1e-8)


def test_merging_changes_what_epsilon_takes_and_nothing_else(file, network, x):
    explanation = explainer.explain(file("vgg11_bn"), x.numpy(), eps=EPS, dtype="float64")
    target = torch.from_numpy(explanation.target)
    theirs = peers.by_captum(nets.double(network("vgg11_bn")), x.double(), target, EPS)
    assert 1e-8 < explainer.compare(explanation.relevance, theirs.numpy()).error < 1e-3
