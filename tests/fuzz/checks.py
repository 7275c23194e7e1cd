"""What must hold of every answer: by onnxruntime, by differences, by asking another way."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from subject import TINY, Feeds, Subject, Wrong, flat, gap, parts, ran, session_of

import explainer
from explainer import ExplainerError
from explainer.canonizers import is_quantised
from explainer.model.graph import Graph

# So many numbers are asked about window by window.
MANY = 10_000


def outputs(subject: Subject) -> None:
    """The model's outputs are onnxruntime's of the file as it was given.

    Where a float16 stands in the middle, what is fused around it moves its last digit.
    """
    digits = 1e-3 if Graph.load(subject.data).precision == 2 else 1e-5
    for name, value in subject.run().items():
        mine = subject.answer.outputs.get(name)
        if mine is None or not np.issubdtype(np.asarray(value).dtype, np.number):
            continue
        if np.ndim(value) and len(mine) > len(value):  # more samples were given than the file takes at once
            mine = mine[: len(value)]
        largest = max(np.abs(value).max(initial=0), TINY)
        if not np.allclose(mine, value, rtol=1e-4, atol=digits * largest, equal_nan=True):
            raise Wrong(f"output {name!r} is not onnxruntime's")


def identity(subject: Subject, **how: object) -> None:
    """What was put on the target is at the inputs, at constants or in ε, and nowhere else.

    float32 may miss it where large parts cancel, x − x under ε say; float64 then does not.
    """
    answer = subject.again(**how) if how else subject.answer
    if answer is None or (missed := _missing(answer)) is None:
        return
    exact = subject.again(**how, dtype="float64")
    if exact is None or _missing(exact) is not None:
        raise Wrong(missed)


def _missing(answer) -> str | None:
    arrived = flat(answer.relevance).sum()
    taken = sum(
        float((step.bias + step.epsilon + step.intercept + step.masked).sum()) for step in answer.audit
    )
    steps = [float(np.abs(step.R_out).sum()) for step in answer.audit]
    start = float(np.sum(answer.start))
    if abs(start - arrived - taken) > 1e-3 * max(
        *steps, np.abs(flat(answer.relevance)).sum(), abs(start), TINY
    ):
        return f"{start:.6g} was put there, {arrived:.6g} arrived, {taken:.6g} is accounted for"
    return None


def presets(subject: Subject, rng: np.random.Generator) -> None:
    """Other rules account for everything too."""
    name = ("epsilon_plus_flat", "gamma", "recommended", "alpha2_beta1", "zplus")[int(rng.integers(5))]
    identity(subject, composite=name)


def gradients(subject: Subject, rng: np.random.Generator) -> None:
    """The gradient along a random direction is the difference quotient by onnxruntime, where there is one."""
    answer = subject.again(method="gradient")
    if (
        answer is None
        or answer.target is None
        or not all(v.dtype == np.float32 for v in subject.feeds.values())
        or is_quantised(Graph.load(subject.data))  # flat between its steps, and a gradient goes through them
    ):
        return
    model = onnx.inliner.inline_local_functions(onnx.load_from_string(subject.data))
    start = _anchor(model, answer.target_name)
    if not start:
        return
    if start not in {item.name for item in model.graph.output}:
        model.graph.output.append(onnx.ValueInfoProto(name=start))
    try:
        session = session_of(model.SerializeToString())
    except Exception:  # a tensor that cannot be asked for
        return
    way = {name: rng.standard_normal(value.shape).astype(np.float32) for name, value in subject.feeds.items()}
    index = int(answer.target[0])
    sizes = {
        item.name: item.shape[0]
        for item in session.get_inputs()
        if item.shape and isinstance(item.shape[0], int)
    }

    rows = next(iter(sizes.values()), len(answer.target))

    def value(step: float) -> float:
        feeds = {name: x + np.float32(step) * way[name] for name, x in subject.feeds.items()}
        feeds = {name: np.resize(x, (sizes.get(name) or len(x), *x.shape[1:])) for name, x in feeds.items()}
        return float(session.run([start], feeds)[0].reshape(rows, -1)[0][index])

    at = value(0.0)
    quotients = [(value(h) - value(-h)) / (2 * h) for h in (4e-3, 8e-3, 1.6e-2)]
    sides = [(value(4e-3) - at) / 4e-3, (at - value(-4e-3)) / 4e-3]
    spread = max(*quotients, *sides) - min(*quotients, *sides)
    rounding = 4e-6 * max(abs(at), TINY) / 4e-3
    grad = parts(answer.relevance)
    grads = grad if "" not in grad else {next(iter(subject.feeds)): grad[""]}
    slope = sum(float((grads[name].astype(np.float64) * way[name]).sum()) for name in grads if name in way)
    size = max(abs(slope), *map(abs, quotients))
    if spread + 3 * rounding > 0.05 * size:  # a kink, or noise
        return
    if abs(slope - np.median(quotients)) > 0.1 * size + 3 * rounding:
        raise Wrong(
            f"gradient {slope:.6g} along a direction where onnxruntime's outputs give {quotients[0]:.6g}"
        )


def _anchor(model: onnx.ModelProto, output: str) -> str:
    """Where relevance starts: in front of a Softmax or a Sigmoid at the end; "" where a branch hides it."""
    for node in model.graph.node:
        if output in node.output and node.op_type in ("Softmax", "LogSoftmax", "Sigmoid"):
            return node.input[0]
        if output in node.output and node.op_type == "If":
            return ""
    return output


def precision(subject: Subject, rng: np.random.Generator) -> None:
    """float64 walks the same way: gradients agree, which ε does not amplify."""
    single = subject.again(method="gradient", keep="all")
    double = subject.again(method="gradient", dtype="float64")
    if single is None or double is None:
        return
    off = np.linalg.norm(flat(single.relevance) - flat(double.relevance))
    # Behind a saturated Tanh float32 has rounding for a gradient: large inside, next to nothing here.
    inside = max(
        [float(np.linalg.norm(part.astype(np.float64))) for part in single.relevances.values()], default=0.0
    )
    if off > 0.1 * np.linalg.norm(flat(double.relevance)) + 1e-5 * inside and not _at_a_kink(subject, rng):
        raise Wrong(f"gradients in float32 and float64 differ by {off:.2g}, inside there are {inside:.2g}")


def _at_a_kink(subject: Subject, rng: np.random.Generator) -> bool:
    """Whether the smallest change of the input changes the gradient too: then both are right."""
    moved = {
        name: x + np.float32(1e-6) * rng.standard_normal(x.shape).astype(np.float32)
        if x.dtype == np.float32
        else x
        for name, x in subject.feeds.items()
    }
    given = moved if len(moved) != 1 else next(iter(moved.values()))
    try:
        near = explainer.explain(subject.data, given, method="gradient")
    except ExplainerError:
        return True
    here = subject.again(method="gradient")
    return here is None or gap(flat(near.relevance), flat(here.relevance)) > 1e-2


def batches(subject: Subject, rng: np.random.Generator) -> None:
    """A sample's relevance does not depend on who else is in the batch."""
    other = {
        name: (x + rng.standard_normal(x.shape).astype(x.dtype) if x.dtype.kind == "f" else x[...])
        for name, x in subject.feeds.items()
    }
    if any(x.ndim == 0 for x in other.values()):
        return
    both = {name: np.concatenate([subject.feeds[name], other[name]]) for name in other}
    target = subject.answer.target
    if target is None or len(target) != 1:
        return
    try:
        given = both if len(both) != 1 else next(iter(both.values()))
        pair = explainer.explain(subject.data, given, target=(subject.answer.target_name, int(target[0])))
    except ExplainerError:
        return
    first = {name: value[:1] for name, value in parts(pair.relevance).items()}
    alone = subject.again(target=(subject.answer.target_name, int(target[0])))
    outputs = {} if alone is None else alone.outputs
    outputs = {n: x for n, x in outputs.items() if np.issubdtype(np.asarray(x).dtype, np.number)}
    meet = (np.ndim(theirs) == 0 or gap(pair.outputs[n][:1], theirs) > 1e-4 for n, theirs in outputs.items())
    if alone is None or any(meet):
        return  # samples meet in the model itself: a batch is another question
    if gap(flat(first), flat(alone.relevance)) > 2e-2 and _steep(subject) < 1e3:
        raise Wrong(
            f"relevance in a batch differs by {gap(flat(first), flat(alone.relevance)):.2g} from alone"
        )


def _steep(subject: Subject) -> float:
    """How far ε carries rounding: relevance there is of what was put on the target."""
    start = float(np.abs(subject.answer.start).sum())
    return float(np.abs(flat(subject.answer.relevance)).sum()) / max(start, TINY)


def compiled(subject: Subject, rng: np.random.Generator) -> None:
    """The compiled file answers as NumPy does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lrp.onnx"
        try:
            explainer.compile(subject.data, file)
        except ExplainerError as error:
            if "report" in str(error):
                raise Wrong(f"compile: {error}") from None
            return
        session = session_of(file.read_bytes())
        made = ran(session, subject.feeds)
    mine = parts(subject.answer.relevance)
    found = {name: made.get(f"relevance/{name}", made.get("relevance")) for name in mine}
    if any(value is None for value in found.values()):
        found = {name: value for name, value in made.items() if "relevance" in name}
        if len(found) != len(mine):
            raise Wrong(f"the compiled file has {sorted(made)}, and relevance of {sorted(mine)} is asked")
    if gap(flat(found), flat(mine)) > 2e-2 and _steep(subject) < 1e3:
        raise Wrong(f"the compiled file's relevance differs by {gap(flat(found), flat(mine)):.2g}")


def perturbed(subject: Subject, rng: np.random.Generator) -> None:
    """Scores of changed inputs do not depend on how many are asked for at once."""
    if (
        sum(x.size for x in subject.feeds.values()) > MANY
    ):  # a fixed batch of pictures is asked for each window
        return
    how = ({"method": "occlusion", "window": 3}, {"method": "rise", "n_masks": 5})[int(rng.integers(2))]
    alone, together = subject.again(**how, batch_size=1), subject.again(**how, batch_size=4)
    if alone is None or together is None:
        return
    off = np.abs(flat(alone.relevance) - flat(together.relevance)).max(initial=0)
    if off > 1e-3 * np.abs(flat(alone.relevance)).max(initial=0) + 1e-5 * np.abs(alone.score).max(initial=0):
        raise Wrong(f"{how['method']} one by one and four at once differ by {off:.2g}")


ALWAYS = (outputs, identity)
SOMETIMES = (gradients, precision, batches, compiled, presets, perturbed)


def anyhow(data: bytes, feeds: Feeds) -> None:
    """A model that rules cannot explain: scores can ask it, or say why not."""
    given = feeds if len(feeds) != 1 else next(iter(feeds.values()))
    explainer.explain(data, given, method="occlusion", window=4)


def check(subject: Subject, rng: np.random.Generator, how_many: int = 2) -> None:
    """All that always holds, and some of what costs more.

    Raises
    ------
    Wrong
    """
    try:
        if not subject.steady():
            return
    except UnicodeDecodeError:  # names that onnxruntime cannot tell
        return
    except Exception:
        if not len(subject.answer.audit):  # the input itself was asked for, and nothing was run
            return
        raise
    for proof in ALWAYS:
        proof(subject)
    for place in rng.permutation(len(SOMETIMES))[:how_many]:
        SOMETIMES[int(place)](subject, rng)
