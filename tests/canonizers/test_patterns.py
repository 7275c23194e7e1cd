"""Groups of any number of nodes: what is met, what is left apart and why; their numbers."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

from explainer import CompositeError, Explainer, UnsupportedError, compile, composites
from explainer.canonizers import Canonizer, Pattern
from explainer.canonizers.matching import lines_of, matches
from explainer.model.graph import Graph, Note
from explainer.model.notes import told
from explainer.testing import check_canonizer


@dataclass(frozen=True)
class Gelu(Pattern):
    """x/2 · (1 + erf(x/√2)), five nodes that read x twice."""

    patterns = ("d = Div (x, ROOT); e = Erf (d); a = Add (e, ONE); m = Mul (x, a); y = Mul (m, HALF)",)

    def check(self, graph, match):
        values = [float(graph.constant(match[name])) for name in ("ROOT", "ONE", "HALF")]
        return None if np.allclose(values, [2**0.5, 1, 0.5]) else "other constants than GELU's"

    def group(self, match):
        return match.becomes("Gelu", [match["x"]], attributes={"approximate": "none"})


@dataclass(frozen=True)
class Chain(Pattern):
    """Rectifiers behind each other, two or three."""

    patterns = ("a = Relu (x); y = Relu (a)", "a = Relu (x); b = Relu (a); y = Relu (b)")

    def group(self, match):
        return match.becomes("Relu", [match["x"]])


@dataclass(frozen=True)
class Refusing(Gelu):
    """Groups nothing, and says why."""

    def check(self, graph, match):
        return "it is not to be"


FIVE = "d = Div (h, root) e = Erf (d) a = Add (e, one) m = Mul (h, a) g = Mul (m, half)"
NET = "g (float[N,4] x) => (float[N,3] y) {{ h = Gemm (x, w) {} y = Gemm (g, v) }}"
X = rng(1).standard_normal((2, 4)).astype(np.float32)


def net(middle: str):
    constants = {"one": 1.0, "half": 0.5, "root": 2**0.5}
    constants = {name: np.float32(value) for name, value in constants.items()}
    weights = {"w": rng(2).standard_normal((4, 5)), "v": rng(3).standard_normal((5, 3))}
    return parse(NET.format(middle), **constants, **weights)


def explainer_of(proto, *canonizers, composite="epsilon", **how) -> Explainer:
    return Explainer(proto, composite=replace(composites.get(composite), canonizers=canonizers), **how)


def canonized(middle: str, canonizer: Pattern, *visible: str) -> Graph:
    return canonizer(Graph.load(net(middle)), {"y", *visible})


@pytest.mark.parametrize(
    "five",
    [
        FIVE,
        FIVE.replace("Add (e, one)", "Add (one, e)"),
        FIVE.replace("Mul (h, a)", "Mul (a, h)").replace("Mul (m, half)", "Mul (half, m)"),
    ],
)
@pytest.mark.parametrize("composite", ["epsilon", "gradient"])
def test_five_nodes_are_one_activation(five, composite):
    one = explainer_of(net("g = Gelu (h)"), composite=composite, dtype="float64")
    many = explainer_of(net(five), Gelu(), composite=composite, dtype="float64")
    assert [step.node.operator for step in many.plan.steps] == ["Gemm", "Gelu", "Gemm"]
    assert [member.name for member in many.plan.steps[1].node.members] == ["d", "e", "a", "m", "g"]
    # The file has √2 as float32, Gelu's layer exactly.
    assert relative(many.explain(X).relevance, one.explain(X).relevance) < 1e-7
    assert many.plan.notes == (
        Note("Gelu", ("d", "e", "a", "m", "g"), ("Div", "Erf", "Add", "Mul", "Mul"), layer="g"),
    )


def test_a_group_compiles():
    composite = replace(composites.get("epsilon", eps=1e-2), canonizers=(Gelu(),))
    wanted = Explainer(net(FIVE), composite=composite).explain(X).relevance
    assert relative(run(compile(net(FIVE), composite=composite), X)["relevance"], wanted) < CLOSE


@pytest.mark.parametrize(
    ("middle", "visible", "reason"),
    [
        (FIVE, "e", "'e' must stay visible"),
        (FIVE.replace("g = Mul (m, half)", "r = Relu (e) g = Mul (m, half)"), "", "Relu 'r' reads 'e' too"),
        (FIVE.replace("Add (e, one)", "Add (e, half)"), "", "other constants than GELU's"),
        (FIVE.replace("Mul (m, half)", "Mul (m, h)"), "", "'h', its half, is no constant"),
    ],
)
def test_a_group_that_is_not_made_is_a_note_with_the_reason(middle, visible, reason):
    view = canonized(middle, Gelu(), visible)
    (note,) = view.notes
    assert (note.reason, note.layer, len(note.nodes)) == (reason, "", 5)
    assert len(view.nodes) == len(Graph.load(net(middle)).nodes)


@pytest.mark.parametrize(
    "middle",
    [
        FIVE.replace("m = Mul (h, a)", "k = Relu (h) m = Mul (k, a)"),  # a gate: not of its own input
        FIVE.replace("Erf", "Tanh"),
        FIVE.replace("Div (h, root)", "Div (root, h)"),
        "d = Div (one, root) e = Erf (d) a = Add (e, one) m = Mul (one, a) k = Mul (m, half) g = Add (h, k)",
    ],
)
def test_what_only_looks_like_it_is_left_alone_without_a_word(middle):
    view = canonized(middle, Gelu())
    assert view.notes == ()
    assert not any(node.members for node in view.nodes)


def test_the_group_that_begins_first_is_made_and_of_these_the_longest():
    text = " ".join(f"r{i} = Relu ({'h' if i == 0 else f'r{i - 1}'})" for i in range(7)) + " g = Relu (r6)"
    view = canonized(text, Chain())
    sizes = [len(node.members) for node in view.nodes]
    assert sizes == [0, 3, 3, 2, 0]
    assert [note.layer for note in view.notes] == ["r2", "r5", "g"]
    names = [member.name for node in view.nodes for member in node.members]
    assert names == [*(f"r{i}" for i in range(7)), "g"]


def test_a_longer_pattern_that_is_refused_is_no_news_where_a_shorter_one_is_met():
    view = canonized("r0 = Relu (h) r1 = Relu (r0) g = Relu (r1)", Chain(), "r1")
    assert [(note.layer, note.reason) for note in view.notes] == [("r1", "")]


def test_a_canonizer_sees_the_groups_of_those_before_it():
    explainer = explainer_of(
        net("r0 = Relu (h) r1 = Relu (r0) r2 = Relu (r1) g = Relu (r2)"), Chain(), Chain()
    )
    (step,) = (step for step in explainer.plan.steps if step.node.operator == "Relu")
    assert [member.name for member in step.node.members] == ["r0", "r1", "r2", "g"]


def test_notes_that_say_the_same_stand_on_one_line_and_refusals_last():
    def note(i: int, **why: str) -> Note:
        return Note("pairs", (f"a{i}", f"b{i}"), ("Conv", "Relu"), **why)

    many = [note(i, layer=f"b{i}") for i in range(53)]
    apart = [note(60, reason="'t' must stay visible"), *(note(i, reason="too large") for i in (61, 62))]
    assert told([*apart, *many]) == [
        "pairs: 53 x Conv + Relu, one layer each ('b0', 'b1', 'b2' and 50 more)",
        "pairs: Conv + Relu, not one layer: 't' must stay visible ('a60' and 'b60')",
        "pairs: 2 x Conv + Relu, not one layer: too large ('a61' and 'b61', 'a62' and 'b62')",
    ]
    assert str(many[7]) == "pairs: Conv + Relu, one layer ('b7')"


# The patterns themselves.


def found(pattern: str, text: str) -> list[dict[str, str]]:
    graph = Graph.load(parse(text, w=rng(1).standard_normal((4, 4)), b=rng(2).standard_normal(4)))
    return [{k: v for k, v in match.names.items() if k} for match in matches(graph, pattern)]


def test_operands_may_be_absent_and_operators_may_be_several():
    text = "g (float[N,4] x) => (float[N,4] y) { a = Gemm (x, w) b2 = Gemm (a, w, b) y = Sub (b2, b) }"
    assert found("y = Gemm (x, W, B?)", text) == [
        {"x": "x", "W": "w", "B": "", "y": "a"},
        {"x": "a", "W": "w", "B": "b", "y": "b2"},
    ]
    assert [names["y"] for names in found("y = Gemm | Sub (x, B)", text)] == ["a", "y"]
    assert [names["y"] for names in found("y = Gemm (x, W, B)", text)] == ["b2"]


def test_a_node_of_several_outputs_and_a_name_that_stands_twice():
    halves = "a, c = Split <axis = 1, num_outputs = 2> (x) s = Sigmoid ({}) y = Mul ({}, s)"
    text = f"g (float[N,4] x) => (float[N,2] y) {{{{ {halves} }}}}"
    gate, swish = "a, b = Split (x); s = Sigmoid (b); y = Mul (a, s)", "s = Sigmoid (x); y = Mul (x, s)"
    assert found(gate, text.format("c", "a")) == [{"x": "x", "a": "a", "b": "c", "s": "s", "y": "y"}]
    assert found(swish, text.format("c", "a")) == []
    assert found(swish, text.format("a", "a")) == [{"x": "a", "s": "s", "y": "y"}]
    assert found(gate, text.format("a", "a")) == []


def test_two_lines_are_two_nodes():
    text = "g (float[N,4] x) => (float[N,4] y) { r = Relu (x) s = Relu (x) t = Add (r, r) y = Add (r, s) }"
    names = found("a = Relu (x); b = Relu (x); y = Add (a, b)", text)
    assert [(n["a"], n["b"], n["y"]) for n in names] == [("r", "s", "y"), ("s", "r", "y")]


def test_an_operand_that_stands_for_nothing_must_be_absent():
    text = "g (float[N,4] x) => (float[N,4] y) { y = Clip (x, , high) }"
    graph = parse(text, high=np.float32(6), low=np.float32(0))
    assert [match["HIGH"] for match in matches(Graph.load(graph), "y = Clip (x, , HIGH)")] == ["high"]
    graph.graph.node[0].input[1] = "low"
    assert not list(matches(Graph.load(graph), "y = Clip (x, , HIGH)"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("y = Relu x", "a pattern has lines such as"),
        ("Relu (x)", "a pattern has lines such as"),
        ("a = Relu (x); y = Relu (x)", "nothing behind it reads 'a'"),
        ("y = Relu (x); y = Relu (y)", "a tensor is made twice"),
        ("Y = Relu (x)", "is written as a constant"),
        ("", "says nothing"),
        ("y = Sofplus (x)", "'Sofplus', which is no operator; did you mean Softplus"),
        ("y = Relu | Tahn (x)", "'Tahn', which is no operator; did you mean Tan, Tanh"),
        ("y = relu (x)", "'relu', which is no operator; did you mean Elu, PRelu, Relu"),
        (("y = Relu (x)",), "a pattern is a text"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern, message):
    with pytest.raises(ValueError, match=message):
        lines_of(pattern)
    with pytest.raises(ValueError, match=message):
        type("Mine", (Pattern,), {"patterns": (pattern,)})


def test_groups_and_operators_of_other_domains_have_names_of_their_own():
    assert [
        line.operators for line in lines_of("h = com.example.Softplu (x); y = Silu | SelfAttention (h)")
    ] == [
        ("com.example.Softplu",),
        ("Silu", "SelfAttention"),
    ]


def test_one_text_is_no_tuple_of_texts():
    with pytest.raises(ValueError, match=r"Mine\.patterns is a tuple of texts, \('y = Relu \(x\)',\)"):
        type("Mine", (Pattern,), {"patterns": "y = Relu (x)"})


WRONG = {
    "no group": ({}, "canonizer Mine: it has no group"),
    "a group that is none": ({"group": lambda self, match: None}, "canonizer Mine: it returned NoneType as"),
    "another name": (
        {"group": lambda self, match: match.becomes("Relu", [match["z"]])},
        r"match\['z'\] at Relu 'r1': the pattern has no such name; it has (y|x|a), ",
    ),
    "another operator": (
        {"group": lambda self, match: match.node("Tanh")},
        "none of these nodes is Tanh: Relu, Relu",
    ),
    "a text for a list": (
        {"group": lambda self, match: match.becomes("Relu", match["x"])},
        r'inputs are a list of tensors, \[match\["x"\]\], not .h',
    ),
    "nodes for names": (
        {"group": lambda self, match: match.becomes("Relu", [match.nodes[0]])},
        r"inputs are a list of tensors",
    ),
    "yes": ({"check": lambda self, graph, match: True}, "it returned True from check"),
    "no": ({"check": lambda self, graph, match: False}, "it returned False from check"),
    "no reason": ({"check": lambda self, graph, match: ""}, "it returned '' from check"),
    "no arrays": ({"arrays": lambda self, graph, match: None}, "it returned NoneType from arrays"),
    "no graph": ({"__call__": lambda self, graph, visible: None}, "it returned NoneType, not a changed copy"),
}


@pytest.mark.parametrize(("body", "message"), WRONG.values(), ids=WRONG)
def test_what_no_canonizer_may_do_is_said(body, message):
    group = {} if message.endswith("no group") else {"group": Chain.group}
    mine = type("Mine", (Pattern,), {"patterns": Chain.patterns[:1], **group, **body})()
    model = net("r0 = Relu (h) r1 = Relu (r0) g = Identity (r1)")
    with pytest.raises(CompositeError, match=message):
        explainer_of(model, mine).plan  # noqa: B018
    with pytest.raises(AssertionError, match=f"^the model: .*{message}"):
        check_canonizer(mine, model)


def test_a_canonizer_that_does_nothing_at_all():
    with pytest.raises(CompositeError, match="canonizer Canonizer: it has no __call__"):
        explainer_of(net("g = Relu (h)"), Canonizer()).plan  # noqa: B018


def test_a_group_of_an_operator_that_is_nowhere():
    body = {"patterns": Chain.patterns, "group": lambda self, match: match.becomes("Rellu", [match["x"]])}
    mine, model = type("Mine", (Pattern,), body)(), net("r0 = Relu (h) g = Relu (r0)")
    with pytest.raises(UnsupportedError, match="Rellu x1"):
        explainer_of(model, mine).plan  # noqa: B018
    with pytest.raises(AssertionError, match=r"the model: Rellu 'g': .* has no layer; did you mean .*Relu"):
        check_canonizer(mine, model)


def test_what_was_found_of_the_nodes_is_kept_where_nothing_is_grouped():
    graph = Graph.load(net(FIVE))
    assert Chain()(graph, ()) is graph  # there are no two rectifiers
    told = Refusing()(graph, ())
    assert told.notes and told.readers is graph.readers and told.carrying is graph.carrying
    assert Gelu()(graph, ()).readers is not graph.readers
