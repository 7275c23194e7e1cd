"""Walks that end at inner tensors and at an embedding, beside captum's layer methods: 1e-8 in float64."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from torch import nn
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass, ZPlus
from zennit.types import Activation, AvgPool, Convolution

import explainer

LENGTH = 9


class Words(nn.Module):
    """A text classifier: an embedding, two convolutions over places, a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.one, self.two = nn.Conv1d(8, 12, 3, padding=1), nn.Conv1d(12, 10, 3, padding=1)
        self.relu, self.again = nn.ReLU(), nn.ReLU()
        self.end = nn.Linear(10, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.table(ids).transpose(1, 2)
        x = self.again(self.two(self.relu(self.one(x))))
        return self.end(x.mean(2))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Words().double().eval()


@pytest.fixture(scope="module")
def ids():
    return torch.from_numpy(np.random.default_rng(1).integers(0, 30, (2, LENGTH)))


@pytest.fixture(scope="module")
def file(net, ids, tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = Words().eval()
        single.load_state_dict(net.state_dict())
        torch.onnx.export(
            single, (ids,), path, dynamo=False, input_names=["ids"], dynamic_axes={"ids": {0: "N"}}
        )
    # The file holds float32: the reference has the same weights.
    net.load_state_dict({name: value.double() for name, value in single.state_dict().items()})
    return path


def by_us(file, ids, tensor=None, **how):
    stop = {} if tensor is None else {"stop": tensor}
    made = explainer.Explainer(file, dtype="float64", **stop, **how)
    return next(iter(made.explain({"ids": ids.numpy()}, 2).relevance.values()))


def tensor_of(file, operator, place):
    graph = explainer.Explainer(file).graph
    return [node for node in graph.nodes if node.operator == operator][place].outputs[0]


def test_integrated_gradients_at_the_embedding(file, net, ids):
    theirs = LayerIntegratedGradients(net, net.table).attribute(ids, torch.full_like(ids, 3), 2, n_steps=20)
    ours = by_us(file, ids, method="integrated_gradients", n_steps=20, baseline={"ids": 3})
    assert ours.shape == (2, LENGTH, 8)
    assert explainer.compare(ours, theirs.detach().numpy()).error < 1e-8


@pytest.mark.parametrize(("layer", "place"), [("one", 0), ("two", 1)])
def test_methods_at_an_inner_tensor(file, net, ids, layer, place):
    tensor, module = tensor_of(file, "Conv", place), getattr(net, layer)
    theirs = LayerGradientXActivation(net, module).attribute(ids, 2).detach().numpy()
    assert explainer.compare(by_us(file, ids, tensor, method="input_x_gradient"), theirs).error < 1e-8
    theirs = LayerIntegratedGradients(net, module).attribute(ids, 0 * ids, 2, n_steps=20).detach().numpy()
    ours = by_us(file, ids, tensor, method="integrated_gradients", n_steps=20, baseline={"ids": 0})
    assert explainer.compare(ours, theirs).error < 1e-8


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus"])
def test_relevance_at_an_inner_tensor_beside_zennit(file, net, ids, composite):
    """zennit walks the modules behind the tensor, which it is fed."""
    behind = nn.Sequential(net.relu, net.two, net.again, nn.AdaptiveAvgPool1d(1), nn.Flatten(), net.end)
    convolution = Epsilon(1e-6) if composite == "epsilon" else ZPlus()
    rules = [(Activation, Pass()), (AvgPool, Norm()), (Convolution, convolution), (nn.Linear, Epsilon(1e-6))]
    x = net.one(net.table(ids).transpose(1, 2)).detach().requires_grad_()
    with LayerMapComposite(rules).context(behind) as modified:
        y = modified(x)
        (theirs,) = torch.autograd.grad(y, x, torch.zeros_like(y).index_fill(1, torch.tensor([2]), 1.0) * y)
    ours = by_us(file, ids, tensor_of(file, "Conv", 0), composite=composite)
    assert explainer.compare(ours, theirs.numpy()).error < 1e-7
