"""The laws of docs/architecture.md, read from the source itself."""

import ast
import re
import subprocess
import sys

import pytest
from syntax import EXPLAINER, ROOT, TORCH, imports, modules, roots, sources, users_of


def order_of_rooms() -> list[str]:
    """Folders and files of the explainer as docs/architecture.md orders them: each reads those before."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (table,) = re.findall(r"## Rooms\n.*?```\n(.*?)```", page, re.S)
    return [line.split()[0].removesuffix("/").removesuffix(".py") for line in table.splitlines()]


def room_of(entry: str, rooms: list[str]) -> str:
    """The room of a full dotted name; "" where it is the package itself, which loads others when asked."""
    parts = entry.split(".")
    return parts[1] if parts[0] == "explainer" and len(parts) > 1 and parts[1] in rooms else ""


def test_each_room_imports_only_those_before_it():
    rooms = order_of_rooms()
    there = {path.stem for path in (ROOT / "explainer").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(rooms) == there - {"__init__", "__pycache__"}
    for name, tree in EXPLAINER.items():
        here = name.split(".")[0]
        if here in ("__init__", "cli"):
            continue
        late = {room for entry in imports(name, tree) if (room := room_of(entry, rooms))}
        late = {room for room in late if rooms.index(room) > rooms.index(here)}
        assert not late, f"{name} imports {sorted(late)}, which docs/architecture.md has behind {here}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {}
    for name, tree in EXPLAINER.items():
        if name != "__init__":
            found = imports(name, tree, typing=True)
            graph[f"explainer.{name.removesuffix('.__init__')}"] = found
    reads = {name: {entry for entry in found if entry in graph} - {name} for name, found in graph.items()}
    for name, entries in reads.items():
        # `from ..plan import Plan` runs the package's own file; a module inside is what it is after.
        reads[name] = {entry for entry in entries if not name.startswith(f"{entry}.")}
    while free := [name for name, entries in reads.items() if not entries]:
        for name in free:
            del reads[name]
        reads = {name: entries - set(free) for name, entries in reads.items()}
    assert not reads, f"import circles among {sorted(reads)}"


def test_few_files_lie_beside_the_folders():
    assert len(list((ROOT / "explainer").glob("*.py"))) <= 8


def test_the_reader_of_imports_sees_through_relative_ones():
    source = """
from ..rules import Epsilon
from . import base
if TYPE_CHECKING:
    import torch
def late():
    import PIL.Image
"""
    found = imports("layers.new", ast.parse(source))
    assert {"explainer.rules", "explainer.rules.Epsilon", "explainer.layers.base", "PIL.Image"} <= found
    assert "torch" not in roots(found)


def test_law_1_the_explainer_never_imports_torch_or_the_exporter():
    for name, tree in EXPLAINER.items():
        assert not roots(imports(name, tree)) & TORCH, name


def test_law_1_the_exporter_never_imports_the_explainer():
    for name, tree in sources("exporter").items():
        assert "explainer" not in roots(imports(name, tree, "exporter")), name


def test_law_2_rules_import_only_the_primitives():
    allowed = ("explainer.tensor", "explainer.errors", "explainer.rules")
    plain = {"explainer", "__future__", "collections", "dataclasses", "math", "re", "typing"}
    for name, tree in modules("rules").items():
        found = imports(name, tree)
        assert roots(found) <= plain
        inside = {entry for entry in found if entry.startswith("explainer")}
        assert all(entry.startswith(allowed) for entry in inside)


def test_law_2_layers_know_no_rules():
    for name, tree in modules("layers").items():
        for entry in imports(name, tree):
            assert entry.split(".")[1:2] not in (["rules"], ["composites"], ["walk"], ["plan"]), name


@pytest.mark.parametrize(
    ("package", "homes"),
    [
        ("onnx", {"model", "canonizers", "compiler", "testing"}),
        ("onnxruntime", {"model.session"}),
        ("PIL", {"inputs.image", "inputs.pictures", "drawing"}),
    ],
)
def test_law_3_heavy_packages_have_few_homes(package, homes):
    users = users_of(package)
    assert users
    assert not {name for name in users if not homes & {name, name.split(".")[0]}}


def test_law_4_only_the_tensor_package_asks_for_symbols():
    for name, tree in EXPLAINER.items():
        if name.split(".")[0] == "tensor":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                assert "Symbol" not in ast.dump(node.args[1]), f"{name}:{node.lineno}"


def test_law_4_walk_and_targets_do_not_know_their_mode():
    for name, tree in modules("walk.backward", "targets", "rules", "layers").items():
        found = imports(name, tree)
        assert not {entry for entry in found if entry.endswith((".Symbol", ".Recorder"))}, name
        assert "onnxruntime" not in roots(found)


@pytest.mark.slow
def test_law_5_only_the_cli_imports_click_prints_or_exits():
    for name, tree in EXPLAINER.items():
        if name.split(".")[0] == "cli":
            continue
        assert "click" not in roots(imports(name, tree)), name
        assert not {e for e in imports(name, tree) if e.startswith("explainer.cli")}, name
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "exit", "quit", "sys.exit", "os._exit"), (
                    f"{name}:{node.lineno}"
                )
            assert not (isinstance(node, ast.Name) and node.id == "SystemExit"), name


def test_law_5_the_cli_uses_public_names_only():
    import explainer

    for name, tree in modules("cli").items():
        own = {entry for entry in imports(name, tree) if entry.startswith("explainer")}
        assert all(entry == "explainer" or entry.startswith("explainer.cli") for entry in own), name
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_") or node.attr.endswith(("__", "_exit")), (
                    f"{name}:{node.lineno}"
                )
                if getattr(node.value, "id", "") == "explainer":
                    assert node.attr in (*explainer.__all__, "__version__"), f"{name}: {node.attr}"


def test_law_8_an_error_is_given_its_lines_one_by_one():
    """A name with an end of line in it would forge a line: so a line's end inside one is shown as \\n."""
    for name, tree in EXPLAINER.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise):
                texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
                assert not any(isinstance(text, str) and "\n" in text for text in texts), (
                    f"{name}:{node.lineno}"
                )


def test_law_8_the_command_line_prints_in_one_place():
    homes = {"cli.say", "cli.progress"}
    for name, tree in modules("cli").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name not in homes:
                assert ast.unparse(node.func) not in ("click.echo", "click.secho", "print"), (
                    f"{name}:{node.lineno}"
                )


# Functions that call themselves, over what is never deep: the lines of a pattern, the two sides of a target,
# the layers of one operator, subgraphs in subgraphs (protocol buffers nest a hundred messages at most).
SHALLOW = {
    "canonizers.matching._ways",
    "compiler.choices.names_samples",
    "layers.registry.kinds_of",
    "model.reading.captured_names",
    "targets.ask._frozen",
}
OVER_GRAPHS = ("model", "canonizers", "layers", "targets", "plan", "walk", "compiler")


def calling_themselves(tree: ast.Module) -> set[str]:
    methods = {id(f) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body}
    return {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func)
        in ({f"self.{function.name}", f"cls.{function.name}"} if id(function) in methods else {function.name})
    }


def test_nothing_recurses_over_a_graph():
    for name, tree in modules(*OVER_GRAPHS).items():
        found = {f"{name}.{function}" for function in calling_themselves(tree)}
        assert found <= SHALLOW, (
            "a chain of 1,000 nodes would be a RecursionError: keep a list of what is waiting"
        )
    assert calling_themselves(ast.parse("def f(x):\n    def g(y):\n        return g(y - 1)")) == {"g"}


def test_law_7_whoever_reads_a_file_opens_it_by_files():
    """So that no result is written over it."""
    homes = {"files", "cli.lines"}
    openers = {
        "open",
        "io.open",
        "os.open",
        "np.load",
        "np.loadtxt",
        "onnx.load",
        "onnx.load_model",
        "np.memmap",
    }
    for name, tree in EXPLAINER.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name not in homes:
                called = ast.unparse(node.func)
                assert called not in openers, f"{name}:{node.lineno}: {called}"
                assert called.split(".")[-1] not in ("read_text", "read_bytes", "write_text", "write_bytes")


SCRIPT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError("refused: " + name)

sys.meta_path.insert(0, Refuse())
import explainer
assert not {{"numpy", "onnx", "onnxruntime"}} & set(sys.modules), "import explainer is not lazy"
import numpy as np
explanation = explainer.explain({model!r}, np.ones((1, 3), np.float32), keep="all")
assert explanation.relevance.shape == (1, 3)
explanation.heatmap
compiled = explainer.compile({model!r})
assert compiled.graph.output[-1].name == "relevance"
explainer.compare(explanation, explanation)
assert not {blocked!r} & set(sys.modules)
"""


@pytest.mark.slow
def test_a_whole_explanation_needs_no_torch():
    from building import parse, rng

    model = parse(
        "g (float[N,3] x) => (float[N,2] y) { h = Gemm(x, w) y = Relu(h) }",
        w=rng(0).standard_normal((3, 2)),
    ).SerializeToString()
    script = SCRIPT.format(blocked=TORCH, model=model)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
