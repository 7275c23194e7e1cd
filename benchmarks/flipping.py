"""Does the prediction fall when what a map calls important is taken away? Pixel-flipping on real models.

    python benchmarks/flipping.py

Patches of the input are replaced, a tenth of them at a time, the most relevant first (MoRF) and in
the opposite order (LeRF), by the picture's mean colour and by what is there when it is blurred; the
probability of the explained class is recorded (Bach et al. 2015; Samek et al. 2017). A map is faithful
where the MoRF curve falls at once and the LeRF curve stays: the area between the two, from -1 to 1 and 0
by chance, is what is reported. It depends far less on the replacement than either area alone (Blücher et
al. 2024, "symmetric relevance gain"). Beside it, how alike the maps of the first and the second class are:
the median cosine over all pictures, 1 for a map that does not depend on what is explained.

The photos and models are not part of the project: they are looked for in ../shared next to the checkout.
Prints a table in Markdown, the mean of all networks with its standard error over the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from maps import Way, maps_of, named

from explainer import ExplainerError, Preprocess
from explainer.inputs import image, pictures

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "parity"))
SHARED = ROOT.parent / "shared"
STEPS = 10
# Across a picture: 14 of 16 pixels in photos, 16 of 2 in CIFAR-10's, 14 of 2 in digits.
PATCH = {224: 16, 32: 2, 28: 2}


@dataclass(frozen=True)
class Task:
    """A model, its pictures, and how they are replaced.

    Parameters
    ----------
    name : str
    path : Path
    preprocess : Preprocess
    x : array (N, C, H, W)
        Pictures as the model takes them.
    """

    name: str
    path: Path
    preprocess: Preprocess
    x: np.ndarray

    @property
    def patch(self) -> int:
        """The side of a patch in pixels."""
        return PATCH[self.x.shape[-1]]


class Classifier:
    """Class probabilities of a model, whatever batch it takes at once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.batch = self.input.shape[0] if isinstance(self.input.shape[0], int) else 20

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, classes)."""
        parts = [
            self.session.run(None, {self.input.name: x[begin : begin + self.batch]})[0].reshape(
                len(x[begin : begin + self.batch]), -1
            )
            for begin in range(0, len(x), self.batch)
        ]
        values = np.concatenate(parts).astype(np.float64)
        if values.min() >= 0 and np.allclose(values.sum(1), 1, atol=1e-3):
            return values
        powers: np.ndarray = np.exp(values - values.max(1, keepdims=True))
        powers /= powers.sum(1, keepdims=True)
        return powers


def mean_colour(x: np.ndarray) -> np.ndarray:
    """Every picture's mean colour, everywhere."""
    return np.broadcast_to(x.mean((2, 3), keepdims=True), x.shape)


def blurred(x: np.ndarray) -> np.ndarray:
    """Every picture under a Gaussian with a standard deviation of a tenth of its side."""
    side = x.shape[-1]
    distance = np.arange(side)[:, None] - np.arange(side)
    weights = np.exp(-0.5 * (distance / (side / 10)) ** 2)
    weights /= weights.sum(1, keepdims=True)
    blurry: np.ndarray = (weights @ x @ weights.T).astype(x.dtype)
    return blurry


FILLS = {"mean colour": mean_colour, "blur": blurred}


def patched(maps: np.ndarray, patch: int) -> np.ndarray:
    """The sums over patches, row after row: (N, patches), from (N, H, W)."""
    samples, height, width = maps.shape
    parts = maps.reshape(samples, height // patch, patch, width // patch, patch)
    return np.asarray(parts.sum((2, 4)).reshape(samples, -1))


def ranked(maps: np.ndarray, patch: int) -> np.ndarray:
    """The place of every pixel's patch by relevance, 0 for the most relevant: (N, H, W)."""
    samples, height, width = maps.shape
    place = np.argsort(np.argsort(-patched(maps, patch), axis=1, kind="stable"), axis=1)
    return place.reshape(samples, height // patch, width // patch).repeat(patch, 1).repeat(patch, 2)


def curve(
    classify: Classifier, x: np.ndarray, fill: np.ndarray, place: np.ndarray, target: int
) -> np.ndarray:
    """One picture's probability with 0, 1/10, 2/10 ... of its patches replaced: (STEPS + 1,)."""
    counts = np.linspace(0, place.max() + 1, STEPS + 1).round()
    gone = place[None] < counts[:, None, None]
    return classify(np.where(gone[:, None], fill[None], x[None]))[:, target]


def area(curve: np.ndarray) -> float:
    """The area under a curve over [0, 1], by trapezoids."""
    return float((curve[1:] + curve[:-1]).mean() / 2)


def areas(task: Task, classify: Classifier, maps: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The areas under the MoRF and the LeRF curve, (fills, 2, N)."""
    place = ranked(maps, task.patch)
    back = place.max() - place
    found = []
    for fill in FILLS.values():
        other = fill(task.x)
        found.append(
            [
                [
                    area(curve(classify, *picture))
                    for picture in zip(task.x, other, order, targets, strict=True)
                ]
                for order in (place, back)
            ]
        )
    return np.array(found)


def tasks(shared: Path, small: int) -> list[Task]:
    """The classifiers of ../shared, the nine photos and so many of the small pictures."""
    import real_models

    found = []
    for name in real_models.CLASSIFIERS:
        how = real_models.preprocess(shared, name)
        if real_models.entry(shared, name).get("top1") is None:
            x, _ = real_models.samples(shared, name)
            x = x[:: max(len(x) // small, 1)][:small]
        else:
            photos = sorted(path for path in (shared / "images").iterdir() if path.suffix in (".jpg", ".png"))
            x = np.concatenate([image.prepare(pictures.open_image(photo), how)[0] for photo in photos])
        found.append(Task(Path(name).stem, shared / name, how, x))
    return found


def chance(task: Task, seed: int) -> np.ndarray:
    """Maps of noise."""
    samples, _, height, width = task.x.shape
    return np.random.default_rng(seed).standard_normal((samples, height, width))


def likeness(task: Task, maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cosine of two maps of every picture, in sums over patches: (N,)."""
    a, b = (patched(values, task.patch) for values in (maps, others))
    cosines: np.ndarray = (a * b).sum(1) / np.maximum(np.sqrt((a * a).sum(1) * (b * b).sum(1)), 1e-300)
    return cosines


@dataclass(frozen=True)
class Result:
    """What one way of explaining is worth on one network, a number per picture each.

    Parameters
    ----------
    gain : array (N,)
        The area under the LeRF curve less that under the MoRF curve, the mean of both replacements.
    alike : array (N,)
        The cosine of the map with that of the second class; none for methods that ask many times.
    """

    gain: np.ndarray
    alike: np.ndarray


def measured(ways: Sequence[Way], task: Task) -> dict[str, Result]:
    """The result of every way of explaining, and that of chance."""
    classify = Classifier(task.path)
    second, first = classify(task.x).argsort(1)[:, -2:].T
    found = {}
    others: np.ndarray | None
    for way in [None, *ways]:
        if way is None:
            maps, others = chance(task, 0), chance(task, 1)
        else:
            try:
                explainer = way.explainer(task.path, preprocess=task.preprocess)
                maps, _ = maps_of(explainer, task.x, first)
                others = maps_of(explainer, task.x, second)[0] if explainer.method.single else None
            except ExplainerError as error:
                print(f"\n{way.name} on {task.name}: {error}", file=sys.stderr)
                continue
        morf, lerf = areas(task, classify, maps, first).mean(0)
        alike = np.array([]) if others is None else likeness(task, maps, others)
        found[way.name if way else "random"] = Result(lerf - morf, alike)
        print(".", end="", file=sys.stderr, flush=True)
    return found


def middle(values: np.ndarray) -> str:
    """The median, or nothing where there are no values."""
    return f"{np.median(values):.2f}" if len(values) else ""


def table(networks: Sequence[str], results: Sequence[dict[str, Result]]) -> str:
    """What every network says of every way of explaining that went through, best first, in Markdown."""
    header = ["map", *networks, "mean", "first and second class"]
    lines = []
    for name in results[0]:
        if not all(name in result for result in results):
            continue  # it was told why
        gains = [result[name].gain for result in results]
        mean = np.mean([gain.mean() for gain in gains])
        error = np.sqrt(np.sum([gain.var(ddof=1) / len(gain) for gain in gains])) / len(gains)
        alike = np.concatenate([result[name].alike for result in results])
        cells = [f"{gain.mean():.2f}" for gain in gains]
        lines.append((mean, [f"`{name}`", *cells, f"{mean:.3f} ± {error:.3f}", middle(alike)]))
    rows = [cells for _, cells in sorted(lines, key=lambda line: -line[0])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=60, help="of the small pictures, how many per network")
    parser.add_argument(
        "names", nargs="*", help="methods, presets and .toml files of rules; without any, all"
    )
    options = parser.parse_args()
    if not (SHARED / "manifest.json").exists():
        print("nothing is measured: the models and photos are not here, no ../shared next to the checkout")
        return
    ways = named(options.names)
    networks = tasks(SHARED, options.small)
    results = [measured(ways, task) for task in networks]
    print(table([task.name.split("-fp32")[0] for task in networks], results))


if __name__ == "__main__":
    main()
