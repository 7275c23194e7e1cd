"""Tensors whose data lies in other files: anywhere in a model, and never outside its folder."""

import os

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import uses_external_data
from versions import before

from explainer import Explainer, ModelError, compile, explain
from explainer.model.graph import Graph
from explainer.model.scopes import scopes_of

W = rng(1).standard_normal((4, 4)).astype(np.float32)
X = rng(2).standard_normal((2, 4)).astype(np.float32)
YES = {"c": np.array(True)}
BRANCH = "t () => (float[N,4] o) {{ {} }}, else_branch = e () => (float[N,4] p) {{ p = Neg (x) }}"
CONSTANT = "w = Constant <value = float[1] {1}> ()"


def body(lines: str) -> str:
    return f"g (float[N,4] x) => (float[N,4] y) {{ {lines} }}"


def elsewhere(tensor: TensorProto, folder, **said) -> TensorProto:
    """The tensor with its data moved to a file of the folder."""
    array = numpy_helper.to_array(tensor)
    (folder / "w.bin").write_bytes(b"head" + array.tobytes())
    moved = TensorProto(
        name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, data_location=TensorProto.EXTERNAL
    )
    entries = {"location": "w.bin", "offset": "4", "length": str(array.nbytes), **said}
    for key, value in entries.items():
        if value is not None:
            moved.external_data.add(key=key, value=value)
    return moved


def weight(name: str = "w", array=W) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def initializer(move):
    model = parse(body("y = MatMul (x, w)"))
    model.graph.initializer.append(move(weight()))
    return model


def constant(move):
    model = parse(body(f"{CONSTANT} y = MatMul (x, w)"))
    model.graph.node[0].attribute[0].t.CopyFrom(move(weight("")))
    return model


def sparse(move, of: str = "values"):
    dense = helper.make_sparse_tensor(weight("w", W.ravel()), weight("at", np.arange(16)), [4, 4])
    getattr(dense, of).CopyFrom(move(getattr(dense, of)))
    model = parse(body("y = MatMul (x, w)"))
    model.graph.sparse_initializer.append(dense)
    return model


def sparse_indices(move):
    return sparse(move, "indices")


def in_branch(move):
    model = parse(
        body(f"a = If <then_branch = {BRANCH.format('o = MatMul (x, w)')}> (c) y = MatMul (x, v)"), **YES
    )
    model.graph.node[0].attribute[0].g.initializer.append(move(weight()))
    model.graph.initializer.append(weight("v"))
    return model


def constant_in_branch(move):
    lines = BRANCH.format(f"{CONSTANT} o = MatMul (x, w)")
    model = parse(body(f"a = If <then_branch = {lines}> (c) y = MatMul (x, v)"), **YES)
    model.graph.node[0].attribute[0].g.node[0].attribute[0].t.CopyFrom(move(weight("")))
    model.graph.initializer.append(weight("v"))
    return model


def in_function(move):
    held = helper.make_node("Constant", [], ["w"], value=move(weight("")))
    nodes = [held, helper.make_node("MatMul", ["a", "w"], ["b"])]
    model = parse(body("u = Relu (x) y = MatMul (x, v)"))
    model.graph.node[0].domain, model.graph.node[0].op_type = "own", "F"
    model.opset_import.add(domain="own", version=1)
    model.functions.append(
        helper.make_function("own", "F", ["a"], ["b"], nodes, [helper.make_opsetid("", 17)])
    )
    model.graph.initializer.append(weight("v"))
    return model


def filling(move):
    model = parse(
        body("s = Shape (v) w = ConstantOfShape <value = float[1] {1}> (s) k = Mul (w, v) y = MatMul (x, k)")
    )
    model.graph.node[1].attribute[0].t.CopyFrom(move(weight("", np.float32([1]))))
    model.graph.initializer.append(weight("v"))
    return model


OLD = pytest.mark.skipif(before("onnxruntime", "1.25"), reason="this onnxruntime does not read it there")
ANYWHERE = [
    initializer,
    constant,
    sparse,
    pytest.param(sparse_indices, marks=OLD),
    in_branch,
    constant_in_branch,
    in_function,
    pytest.param(filling, marks=OLD),
]


@pytest.fixture(params=ANYWHERE, ids=lambda made: made.__name__)
def made(request):
    return request.param


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A model's folder; the program runs in another, whose file of the same name holds other numbers."""
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    (other / "w.bin").write_bytes(b"head" + (100 * W).tobytes())
    monkeypatch.chdir(other)
    return home


def saved(model: onnx.ModelProto, home) -> str:
    path = home / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_it_is_read_from_the_models_folder(made, home):
    path = saved(made(lambda tensor: elsewhere(tensor, home)), home)
    wanted = explain(parse(body("y = MatMul (x, w)"), w=W), X, target=2)
    for dtype in ("float32", "float64"):
        found = explain(path, X, target=2, dtype=dtype)
        assert relative(found.relevance, wanted.relevance) < 1e-5
        np.testing.assert_allclose(found.outputs["y"], X @ W, rtol=1e-5)
    assert [file.name for file in Graph.load(path).source.stamps] == ["model.onnx", "w.bin"]


def test_the_folder_of_the_program_needs_no_such_file(made, home):
    os.remove("w.bin")
    assert Graph.load(saved(made(lambda tensor: elsewhere(tensor, home)), home))


@pytest.mark.parametrize("made", [initializer, constant, sparse, pytest.param(filling, marks=OLD)])
def test_a_compiled_file_holds_it(made, home):
    compiled = compile(saved(made(lambda tensor: elsewhere(tensor, home)), home), target=2)
    tensors = [tensor for scope in scopes_of(compiled) for _, tensor in scope.tensors()]
    assert not any(map(uses_external_data, tensors))
    (home / "w.bin").unlink()
    np.testing.assert_allclose(run(compiled, {"x": X})[0], X @ W, rtol=1e-5)


def test_a_model_that_is_no_file_has_none(made, home):
    model = made(lambda tensor: elsewhere(tensor, home))
    os.chdir(home)
    for form in (model, model.SerializeToString()):
        with pytest.raises(ModelError, match=r"external file 'w\.bin'; give the model's path"):
            Graph.load(form)


OUTSIDE = "outside the model's folder; refused"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"location": "../other/w.bin"}, OUTSIDE),
        ({"location": "a/../../other/w.bin"}, OUTSIDE),
        ({"location": "..\\other\\w.bin"}, OUTSIDE),
        ({"location": "C:\\w.bin"}, OUTSIDE),
        ({"location": "C:w.bin"}, OUTSIDE),
        ({"location": "\\\\server\\share\\w.bin"}, OUTSIDE),
        ({"location": "/etc/hostname"}, OUTSIDE),
        ({"location": "w.bin\0"}, OUTSIDE),
        ({"location": "w" * 5000}, "outside|missing"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, OUTSIDE),
        ({"location": ""}, "names no file"),
        ({"location": None}, "names no file"),
        ({"location": "."}, "external data is '.', and that is no file of bytes"),
        ({"location": "none.bin"}, "external data 'none.bin' is missing"),
        ({"offset": "-4"}, "offset of its external data is '-4'"),
        ({"offset": "0x4"}, "no whole number"),
        ({"offset": "٤"}, "no whole number"),
        ({"offset": "9" * 18}, "ends beyond 'w.bin'"),
        ({"offset": "9" * 19}, "offset of its external data is '9{19}', beyond any file"),
        ({"offset": "9" * 5000}, "beyond any file"),
        ({"length": "3"}, "has 3 bytes; its shape and type take"),
        ({"length": "-1"}, "no whole number"),
        ({"offset": "8"}, "ends beyond 'w.bin'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_never_leaves_the_folder_and_fits_its_file(made, home, said, message):
    with pytest.raises(ModelError, match=message):
        Graph.load(saved(made(lambda tensor: elsewhere(tensor, home, **said)), home))


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("link", ["w.bin", "."])
def test_a_link_that_leads_out_is_refused(made, home, link):
    model = made(lambda tensor: elsewhere(tensor, home, location="w.bin" if link == "w.bin" else "out/w.bin"))
    (home / "w.bin").unlink()
    if link == "w.bin":
        os.symlink(home.parent / "other" / "w.bin", home / "w.bin")
    else:
        os.symlink(home.parent / "other", home / "out")
    with pytest.raises(ModelError, match=OUTSIDE):
        Graph.load(saved(model, home))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_data(home):
    model = constant(lambda tensor: elsewhere(tensor, home))
    (home / "w.bin").unlink()
    os.mkfifo(home / "w.bin")
    with pytest.raises(ModelError, match="no file of bytes"):
        Graph.load(saved(model, home))


def test_data_that_is_both_inside_and_outside_is_refused(home):
    def both(tensor):
        moved = elsewhere(tensor, home)
        moved.raw_data = tensor.raw_data
        return moved

    with pytest.raises(ModelError, match="in the model and in another file"):
        Graph.load(saved(initializer(both), home))


def test_data_that_changes_after_it_was_read_is_noticed(made, home):
    explainer = Explainer(saved(made(lambda tensor: elsewhere(tensor, home)), home))
    data = bytearray((home / "w.bin").read_bytes())
    (home / "w.bin").write_bytes(data + b"more")
    with pytest.raises(ModelError, match=r"'w\.bin' changed after it was read"):
        explainer.explain(X, target=2)


@pytest.mark.skipif(
    before("onnx", "1.19"), reason="this onnx has bfloat16 as float32, and the file is refused"
)
def test_numbers_that_numpy_has_no_type_for(home):
    halves = numpy_helper.from_array(W.astype(np.float32), "w")
    halves.data_type, halves.raw_data = (
        TensorProto.BFLOAT16,
        (W.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
    )
    (home / "w.bin").write_bytes(halves.raw_data)
    moved = TensorProto(name="h", data_type=halves.data_type, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    moved.external_data.add(key="location", value="w.bin")
    model = parse(body("w = Cast <to = 1> (h) y = MatMul (x, w)"))
    model.graph.initializer.append(moved)
    found = Graph.load(saved(model, home)).constant("h").astype(np.float32)
    np.testing.assert_allclose(found, W, rtol=1e-2)
