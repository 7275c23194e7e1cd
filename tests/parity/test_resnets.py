"""Float64, end to end, against two references that share nothing with us: 1e-8 of the largest value.

The walk amplifies the forward pass's rounding, on these networks some 10,000 times; the seeds are fixed.
"""

from __future__ import annotations

import functools

import nets
import numpy as np
import peers
import pytest
import reference
import torch

import explainer

EPS = 1e-6
RESNETS = ("resnet18", "resnet34", "resnet50")
FORMS = [(exporter, batchnorm) for exporter in ("torchscript", "dynamo") for batchnorm in ("keep", "fold")]


def tensors(relevance, inner):
    """As `explainer.compare` takes them: the input's relevance, and the blocks'."""
    return {"input": relevance.numpy()} | {f"block {i}": R.numpy() for i, R in enumerate(inner)}


@pytest.fixture(scope="module")
def references(network, x):
    """Both references' answers for a float64 model, those of a model that keeps its norms made once."""

    def both(model, target):
        wide = x.double()
        autograd = reference.resnet(model, wide, target, EPS)
        return [tensors(*autograd), tensors(*peers.by_zennit(model, wide, target, peers.epsilon(EPS)))]

    kept = functools.cache(lambda name, target: both(nets.double(network(name)), torch.tensor(target)))

    def answers(name, target, path, batchnorm):
        if batchnorm == "keep":
            return kept(name, tuple(target.tolist()))
        return both(nets.folded(network(name), path), target)

    return answers


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize(("exporter", "batchnorm"), FORMS)
def test_same_relevance_in_every_block(name, exporter, batchnorm, file, references, x, agree):
    path = file(name, exporter, batchnorm)
    blocks = nets.block_outputs(path)
    explanation = explainer.explain(path, x.numpy(), keep=blocks, eps=EPS, dtype="float64")
    inner = [torch.from_numpy(explanation.relevances[block]) for block in blocks]
    ours = tensors(torch.from_numpy(explanation.relevance), inner)
    target = torch.from_numpy(explanation.target)
    for peer, theirs in zip(("autograd", "zennit"), references(name, target, path, batchnorm), strict=True):
        comparison = explainer.compare(ours, theirs)
        assert len(comparison) == 1 + {"resnet18": 8, "resnet34": 16, "resnet50": 16}[name]
        agree(comparison, 1e-8, peer)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_any_start_in_any_sample(name, file, network, x, agree):
    """A class for each sample, a large ε; relevance is proportional to what is put on the target."""
    target, eps = torch.tensor([3, 7]), 0.05
    model = explainer.Explainer(file(name), eps=eps, dtype="float64")
    output, one = (model.explain(x.numpy(), target.numpy(), start) for start in ("output", "one"))
    theirs, _ = reference.resnet(nets.double(network(name)), x.double(), target, eps)
    agree(explainer.compare(output, theirs.numpy()), 1e-8)
    np.testing.assert_array_equal(one.start, 1)
    scaled = one.relevance * output.start.reshape(-1, 1, 1, 1)
    assert explainer.compare(scaled, output).error < 1e-10
