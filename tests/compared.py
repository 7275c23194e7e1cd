"""What is compared with whom: the tables of docs/parity.md, declared here and filled by the tests.

    PARITY_TABLE=1 pytest tests/layers/test_rules_on_layers.py tests/parity

writes the page anew, a part of these tests their cells alone. `test_table.py` holds the page to what is
declared: every cell, and no error over its limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from examples import EXAMPLES

from explainer.rules import RULES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "parity.md"
SINGLE = 1e-10  # one layer, float64
DEEP = 1e-8  # a network end to end, float64
WALK = 1e-5  # a network's walk, float32 against float64 on equal activations

NETWORKS = ("vgg16_bn", "resnet18", "resnet50")


class Section:
    """One table: errors by row and column, none of them over the limit.

    Parameters
    ----------
    title, note : str
    limit : float
    corner : str
        What the rows are.
    cells : iterable of (row, column)
        What is compared, in the order of the table.
    """

    def __init__(self, title: str, note: str, limit: float, corner: str, cells: Iterable[tuple[str, str]]):
        self.title, self.note, self.limit, self.corner = title, note, limit, corner
        self.errors: dict[tuple[str, str], float | None] = dict.fromkeys(cells)

    def record(self, row: str, column: str, error: float) -> None:
        """Keep the largest error of a cell, which must be one of the declared."""
        before = self.errors[row, column]
        self.errors[row, column] = error if before is None else max(before, error)

    def __str__(self) -> str:
        rows = list(dict.fromkeys(row for row, _ in self.errors))
        columns = list(dict.fromkeys(column for _, column in self.errors))
        lines = [f"## {self.title}", *([self.note] if self.note else []), f"Allowed: {self.limit:g}.", ""]
        lines += [_line([self.corner, *columns]), _line(["---"] * (1 + len(columns)))]
        for row in rows:
            errors = [self.errors.get((row, column)) for column in columns]
            lines.append(_line([row, *("" if e is None else f"{e:.0e}" if e else "0" for e in errors)]))
        return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def read(page: str) -> dict[str, dict[tuple[str, str], float]]:
    """The page's tables by title: errors by row and column."""
    tables = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        table = [line.split("|")[1:-1] for line in lines if line.startswith("|")]
        header, _, *rows = [[cell.strip() for cell in cells] for cells in table]
        tables[title] = {
            (row[0], column): float(cell)
            for row in rows
            for column, cell in zip(header[1:], row[1:], strict=True)
            if cell
        }
    return tables


def write() -> None:
    """The page from what this run measured; what it did not stays as the page has it.

    Raises
    ------
    ValueError
        Some declared comparison is neither in this run nor on the page.
    """
    before = read(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    missing = []
    for section in SECTIONS:
        kept = before.get(section.title, {})
        for cell, error in section.errors.items():
            if error is None:
                section.errors[cell] = kept.get(cell)
                missing += [f"{section.title}: {' × '.join(cell)}"] * (cell not in kept)
    if missing:
        raise ValueError("not measured:\n" + "\n".join(missing))
    PAGE.write_text("\n\n".join([INTRODUCTION, *map(str, SECTIONS)]) + "\n", encoding="utf-8")


INTRODUCTION = """\
# What was compared, and how far apart

Written by the tests (`PARITY_TABLE=1 pytest tests/layers/test_rules_on_layers.py tests/parity`); a test
holds it to what they compare. Every number is the largest difference relative to the largest value, the
worst of several inputs. Networks have random weights, biases and BatchNormalization statistics; inputs
have values of either sign."""

KINDS = {
    "convolution": "Rules on convolutions",
    "dense": "Rules on dense layers",
    "scale": "Rules on normalizations and products with constants",
    "sum": "Rules on sums, averages and average pooling",
    "product": "Rules on products of activations",
    "normalization": "Rules on normalizations by an input's own statistics",
    "quotient": "Rules on quotients of two activations",
    "curved": "Rules on Softmax and other maps of several values",
    "winner": "Rules on max pooling",
    "activation": "Rules on activations",
    "movement": "Rules on what moves values",
}
BENT = " The matrix is the layer's own transpose; `test_gradients.py` holds that to PyTorch's."
FACTORS = " The matrix is that of each factor with the others held."
OPERATORS = dict.fromkeys((example.operator, example.kind) for example in EXAMPLES)
BY_FORMULA = {
    kind: Section(
        title,
        "Against the papers' formulas on the layer's dense matrix (`tests/oracle.py`), shares of bias and ε "
        "included; float64, input of either sign and not negative."
        + (
            BENT
            if kind in ("winner", "activation", "normalization", "quotient", "curved")
            else FACTORS
            if kind == "product"
            else ""
        ),
        SINGLE,
        "operator",
        [(o, name) for o, k in OPERATORS if k == kind for name, r in RULES.items() if r.fits(k)],
    )
    for kind, title in KINDS.items()
}


ZENNIT_PRESETS = (
    *("epsilon", "epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon_alpha2_beta1_flat"),
    *("epsilon_gamma_box", "excitation_backprop", "gradient", "guided_backprop", "deconvnet", "beta_smooth"),
    "recommended",
)
# One rule at every layer with weights: what these do is told by one network.
ONE_RULE = ("zero", "zplus", "alpha1_beta0", "alpha2_beta1", "gamma", "wsquare", "flat")
INNVESTIGATE_PRESETS = (
    *("sequential_preset_a", "sequential_preset_b", "sequential_preset_a_flat", "sequential_preset_b_flat"),
    *("deep_taylor", "bounded_deep_taylor"),
)
FOLDED = ("vgg11_bn", "resnet18")
CHAINS = ("vgg11", "vgg16_bn")
CAPTUM_RULES = ("captum", "epsilon", "gamma", "gamma 0.1", "zplus")


def _grid(rows: Iterable[str], columns: Iterable[str]) -> list[tuple[str, str]]:
    columns = list(columns)
    return [(row, column) for row in rows for column in columns]


LAYERS = (
    *("conv", "conv strided", "conv dilated", "conv grouped", "conv depthwise", "conv 1d", "conv 3d"),
    *("transposed conv", "linear", "batchnorm", "average pooling"),
)
ZENNIT_RULES = (
    *("epsilon", "epsilon, clip", "epsilon, norm_scale", "epsilon, zero_params", "zplus", "alpha_beta"),
    *("gamma", "gamma, zero_params", "zbox", "wsquare", "flat", "norm"),
)
RULES_BY_ZENNIT = Section(
    "Rules on layers, against zennit",
    "zennit 0.5.1 itself; float64, input of either sign and not negative.",
    SINGLE,
    "layer",
    _grid(LAYERS[:-2], ZENNIT_RULES[:-1]) + _grid(LAYERS[-1:], ZENNIT_RULES[-1:]),
)
RULES_BY_CAPTUM = Section(
    "Rules on layers, against captum",
    "captum 0.9.0 itself; float64, input of either sign and not negative. On BatchNormalization its "
    "changed rules are no rules: they change the scale and leave the mean that it also multiplies.",
    SINGLE,
    "layer",
    _grid(LAYERS[:-2], ("epsilon", "plain_gamma", "plain_zplus")) + _grid(LAYERS[-2:], ("epsilon",)),
)
BY_ZENNIT = Section(
    "Presets, against zennit",
    "zennit 0.5.1 itself, float64 end to end. It has no presets called `epsilon` and `zero` to `flat`, "
    "which are one rule of its on every layer with weights, `gradient`, its empty composite, and "
    "`recommended`, a layer map of its rules.",
    DEEP,
    "preset",
    _grid(ZENNIT_PRESETS, NETWORKS) + _grid(ONE_RULE, ["resnet18"]),
)
BY_INNVESTIGATE = Section(
    "iNNvestigate's presets, against their layer maps in zennit",
    "Float64 end to end. iNNvestigate needs TensorFlow and is not run: the peer is the preset's layer map "
    "with zennit 0.5.1's rules (`tests/parity/innvestigate.py`).",
    DEEP,
    "preset",
    _grid(INNVESTIGATE_PRESETS, NETWORKS)
    + _grid([f"sequential_preset_{letter}_flat_until" for letter in "ab"], NETWORKS[:2]),
)
IN_DIALECT = Section(
    "iNNvestigate's presets, in its dialect",
    'As above with `dialect="innvestigate"`: the whole bias in both denominators, no ε but where one is '
    "exactly 0, its own deep Taylor. On files into which BatchNormalization is folded.",
    DEEP,
    "preset",
    _grid(INNVESTIGATE_PRESETS, FOLDED),
)
BY_CAPTUM = Section(
    "LRP, against captum",
    'captum 0.9.0 itself, `dialect="captum"`, float64 end to end, on chains of layers: on residual '
    "networks captum's LRP is wrong.",
    DEEP,
    "composite",
    _grid(CAPTUM_RULES, CHAINS),
)
QUADRATURES = (*("gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"),)
METHODS = Section(
    "Methods without rules, against captum",
    "captum 0.9.0 itself, float64 end to end, in double precision throughout (by itself it rounds the "
    "steps of Integrated Gradients to float32); its trapezoid is multiplied by n/(n − 1), so that its "
    "weights add up to 1. DeepLIFT is not compared where windows overlap: captum drops a value there. "
    "`zennit` is zennit 0.5.1's IntegratedGradients.",
    DEEP,
    "method",
    [
        *_grid(("gradient", "input_x_gradient", "guided_backprop", "deconvnet"), ("vgg11_bn", "resnet18")),
        *_grid([f"integrated_gradients, {rule}" for rule in (*QUADRATURES, "zennit")], ["resnet18"]),
        ("deeplift", "vgg11_bn"),
        *_grid([f"grad_cam, {mode}" for mode in ("nearest", "bilinear")], ("vgg11_bn", "resnet18")),
    ],
)
WALKS = Section(
    "The walk in float32",
    "Against the walk in float64 on the same activations.",
    WALK,
    "preset",
    _grid((*ZENNIT_PRESETS, *INNVESTIGATE_PRESETS), NETWORKS) + _grid(ONE_RULE, ["resnet18"]),
)

SECTIONS = [
    *BY_FORMULA.values(),
    *(RULES_BY_ZENNIT, RULES_BY_CAPTUM),
    *(BY_ZENNIT, BY_INNVESTIGATE, IN_DIALECT, BY_CAPTUM, METHODS, WALKS),
]
