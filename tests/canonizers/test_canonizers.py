"""Which canonizers a walk has: by name or as objects, from a composite or a dialect."""

import pickle
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
from building import parse, rng
from click.testing import CliRunner

import explainer
from explainer import CompositeError, Explainer, RegistrationError, composites
from explainer.canonizers import CANONIZERS, FORMS, BatchNorm, Canonizer, canonize, get, register
from explainer.cli import main
from explainer.model.graph import Graph, Note

NORM = "BatchNormalization ({}, scale, shift, mean, variance)"
X = rng(4).standard_normal((2, 4)).astype(np.float32)


def net(pairs: int = 1, extra: str = "") -> onnx.ModelProto:
    """Gemm and BatchNormalization, again and again."""
    chain = [f"c{i} = Gemm (y{i}, w) y{i + 1} = {NORM.format(f'c{i}')}" for i in range(pairs)]
    text = f"y0 = Relu (x) {' '.join(chain)} y = Relu (y{pairs}) {extra}"
    constants = {
        name: rng(5, i).uniform(0.5, 2, 4) for i, name in enumerate(("scale", "shift", "mean", "variance"))
    }
    return parse(
        f"g (float[N,4] x) => (float[N,4] y) {{ {text} }}", w=rng(6).standard_normal((4, 4)), **constants
    )


@dataclass(frozen=True)
class Silent(Canonizer):
    """Takes out rectifiers that come first, or all: a function on the view without any pattern."""

    every: bool = False

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        aliases, nodes = dict(graph.aliases), []
        for node in graph.nodes:
            inputs = tuple(aliases.get(name, name) for name in node.inputs)
            if (
                node.operator == "Relu"
                and node.outputs[0] not in visible
                and (self.every or inputs == ("x",))
            ):
                aliases[node.outputs[0]] = inputs[0]
            else:
                nodes.append(replace(node, inputs=inputs))
        return graph.having(
            nodes=tuple(nodes), aliases=aliases, notes=(Note(self.name, ("y0",), ("Relu",), "x"),)
        )


@pytest.fixture
def names():
    """The registry, put back afterwards."""
    before = dict(CANONIZERS)
    yield CANONIZERS
    CANONIZERS.clear()
    CANONIZERS.update(before)


def operators(*canonizers, pairs: int = 1) -> list[str]:
    composite = replace(composites.get("epsilon"), canonizers=canonizers)
    return [step.node.operator for step in Explainer(net(pairs), composite=composite).plan.steps]


def test_a_composite_names_its_canonizers():
    assert operators() == ["Relu", "BatchNormalization", "Gemm", "Relu"]
    assert operators("batchnorm") == operators(BatchNorm()) == ["Relu", "Gemm", "Relu"]
    assert operators(Silent()) == ["Relu", "BatchNormalization", "Gemm"]
    assert operators("batchnorm", Silent()) == ["Relu", "Gemm"]


@pytest.mark.parametrize("dialect", ["captum", "innvestigate"])
def test_some_dialects_merge_no_batch_normalization(dialect):
    assert composites.get(dialect=dialect).canonizers == (*FORMS, "linear", "gates")


@pytest.mark.parametrize("dialect", [None, "zennit", "attnlrp"])
def test_others_do_and_only_some_hold_gates(dialect):
    ours = (*FORMS, "batchnorm", "linear")
    assert composites.get(dialect=dialect).canonizers == (ours if dialect == "attnlrp" else (*ours, "gates"))
    assert composites.get("gradient").canonizers == ours


def test_what_a_canonizer_did_is_data_and_text():
    plan = Explainer(net(4)).plan
    assert plan.notes == tuple(
        Note("batchnorm", (f"c{i}", f"y{i + 1}"), ("Gemm", "BatchNormalization"), layer=f"c{i}")
        for i in range(4)
    )
    line = "batchnorm: 4 x Gemm + BatchNormalization, one layer each ('c0', 'c1', 'c2' and 1 more)"
    assert str(plan).splitlines()[1] == line
    assert not any(note.refused for note in plan.notes)


def test_check_says_what_was_grouped_and_what_was_not(tmp_path):
    onnx.save(net(3, "other = Sigmoid (c2)"), tmp_path / "net.onnx")
    done = CliRunner().invoke(main, ["check", str(tmp_path / "net.onnx")])
    assert done.exit_code == 0
    said = done.output.splitlines()
    assert "batchnorm: 2 x Gemm + BatchNormalization, one layer each ('c0', 'c1')" in said
    apart = (
        "batchnorm: Gemm + BatchNormalization, not one layer: Sigmoid 'other' reads 'c2' too ('c2' and 'y3')"
    )
    assert apart in said
    done = CliRunner().invoke(main, ["check", str(tmp_path / "net.onnx"), "--dialect", "captum"])
    assert "batchnorm" not in done.output


def test_canonizers_are_plain_values():
    for canonizer in (BatchNorm(), Silent(), Silent(every=True)):
        again = pickle.loads(pickle.dumps(canonizer))
        assert again == canonizer
        assert hash(again) == hash(canonizer)
    assert Silent() != Silent(every=True)
    assert repr(Silent(True)) == "Silent(every=True)"
    assert repr(BatchNorm()) == "BatchNorm()"
    assert (BatchNorm().name, Silent().name) == ("batchnorm", "Silent")


def test_a_name_is_registered_once(names):
    assert register("silent")(Silent) is Silent
    assert get("silent") == Silent()
    assert register("silent")(Silent) is Silent  # a module that is read twice
    assert operators("silent") == ["Relu", "BatchNormalization", "Gemm"]
    with pytest.raises(RegistrationError, match=r"'batchnorm' is explainer.*BatchNorm already.*replace=True"):
        register("batchnorm")(Silent)
    assert get("batchnorm") == BatchNorm()
    register("batchnorm", replace=True)(Silent)
    assert get("batchnorm") == Silent()


@pytest.fixture(autouse=True)
def own_name():
    """A class keeps the name that a test registers it under."""
    yield
    Silent.name, BatchNorm.name = "Silent", "batchnorm"


@pytest.mark.parametrize(
    ("canonizers", "message"),
    [
        (("batchnrom",), "no canonizer 'batchnrom'; did you mean 'batchnorm'"),
        ((BatchNorm,), "a tuple of names or Canonizer objects, not .<class"),
        ("batchnorm", "a tuple of names or Canonizer objects, not 'batchnorm'"),
        (True, "a tuple of names or Canonizer objects, not True"),
    ],
)
def test_what_is_no_canonizer_is_refused(canonizers, message):
    with pytest.raises(CompositeError, match=message):
        composite = replace(composites.get("epsilon"), canonizers=canonizers)
        Explainer(net(), composite=composite).plan  # noqa: B018


def test_they_are_public():
    assert explainer.canonizers.Pattern.__mro__[1] is explainer.canonizers.Canonizer
    assert canonize(Graph.load(net()), canonizers=()).notes == ()


@pytest.mark.parametrize("name", ["", "two words", "a,b", 3])
def test_what_a_canonizer_cannot_be_called(name):
    with pytest.raises(
        RegistrationError, match=r'is no name of a canonizer: .* write @canonizers\.register\("'
    ):
        register(name)
    assert name not in CANONIZERS


def test_what_is_no_canonizer_and_a_register_without_a_name():
    for thing in (int, Silent(), "silent"):
        with pytest.raises(RegistrationError, match=r"is no canonizer: .* explainer\.canonizers\.Canonizer"):
            register("thing")(thing)
    with pytest.raises(RegistrationError, match="the Silent itself is no name of a canonizer"):
        register(Silent)
    assert "thing" not in CANONIZERS
