"""Every rule on every layer that it can be put on, against the papers' formulas on dense matrices.

A rule without a formula in FORMULAS fails here, and so does an operator without an example.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import compared
import numpy as np
import oracle
import pytest
from building import relative, rng
from examples import EXAMPLES, Example

from explainer.layers import Bound
from explainer.rules import (
    RULES,
    AlphaBeta,
    Average,
    BetaSmooth,
    Deconvnet,
    Epsilon,
    Flat,
    Gamma,
    Gradient,
    GuidedBackprop,
    Held,
    HeldGradient,
    Linearised,
    Norm,
    Pass,
    PlainGamma,
    PlainZPlus,
    Relevance,
    Route,
    Rule,
    Taylor,
    Winner,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)
from explainer.rules.recurrent import SignalTakesAll
from explainer.testing import Dense
from explainer.testing.dense import flat, like
from explainer.testing.rules import answer
from explainer.testing.rules import error as distance

EPS = 0.03  # large enough to show where it is added
LOW, HIGH = -3.0, 4.0


class Problem(Dense):
    """One layer as a dense matrix, with ways to write a formula on it."""

    def by(self, formula: Callable[..., oracle.Shares], *more: Any, bias: bool = True, **options: Any) -> Any:
        return formula(self.W, self.b if bias else 0 * self.b, self.x, self.R, *more, **options)

    def epsilon(self, **options: Any) -> Any:
        return self.by(oracle.epsilon, oracle.stabilizer(EPS, samples=self.samples, **options))


# A rule, and what it must answer; where no Shares, R_in alone.
FORMULAS: list[tuple[Rule, Callable[[Problem], Any]]] = [
    (Zero(), lambda p: p.by(oracle.zero)),
    (Epsilon(EPS), lambda p: p.epsilon()),
    (Epsilon(EPS, signed=False), lambda p: p.epsilon(signed=False)),
    (Epsilon(EPS, clip=True), lambda p: p.epsilon(clip=True)),
    (Epsilon(EPS, norm_scale=True), lambda p: p.epsilon(norm_scale=True)),
    (Epsilon(EPS, norm_scale=True, clip=True), lambda p: p.epsilon(norm_scale=True, clip=True)),
    (Epsilon(EPS, zero_params="bias"), lambda p: p.by(oracle.epsilon, EPS, bias=False)),
    (Norm(EPS), lambda p: p.epsilon()),
    (ZPlus(eps=EPS), lambda p: p.by(oracle.zplus, EPS)),
    (ZPlus(eps=EPS, zero_params="bias"), lambda p: p.by(oracle.zplus, EPS, bias=False)),
    (AlphaBeta(2, 1, eps=EPS), lambda p: p.by(oracle.alpha_beta, EPS, 2, 1)),
    (AlphaBeta(1, 0, eps=EPS), lambda p: p.by(oracle.zplus, EPS)),
    (AlphaBeta(3, 2, eps=EPS, zero_params="bias"), lambda p: p.by(oracle.alpha_beta, EPS, 3, 2, bias=False)),
    (AlphaBeta(1.5, 0.5, eps=EPS, full_bias=True), lambda p: p.by(oracle.alpha_beta, EPS, 1.5, 0.5, True)),
    (Gamma(0.25, eps=EPS), lambda p: p.by(oracle.gamma, EPS, 0.25)),
    (Gamma(0, eps=EPS), lambda p: p.epsilon()),
    (Gamma(2, eps=EPS, zero_params="bias"), lambda p: p.by(oracle.gamma, EPS, 2, zero_bias=True)),
    (ZBox(LOW, HIGH, eps=EPS), lambda p: p.by(oracle.zbox, EPS, LOW, HIGH)),
    (WSquare(eps=EPS), lambda p: p.by(oracle.wsquare, EPS)),
    (WSquare(eps=EPS, zero_params="bias"), lambda p: p.by(oracle.wsquare, EPS, bias=False)),
    (Flat(eps=EPS), lambda p: p.by(oracle.flat, EPS)),
    (PlainGamma(0.25, eps=EPS), lambda p: p.by(oracle.plain_gamma, EPS, 0.25)),
    (PlainZPlus(eps=EPS), lambda p: p.by(oracle.plain_zplus, EPS)),
    (Held(EPS), lambda p: p.epsilon()),
    (Taylor(EPS), lambda p: p.epsilon()),
    (Linearised(), lambda p: p.by(oracle.zero)),
    (Route(), lambda p: oracle.route(p.W, p.R)),
    (Winner(), lambda p: oracle.route(p.W, p.R)),
    (Average(EPS), lambda p: p.epsilon()),
    (Gradient(), lambda p: p.W.T @ p.R),
    (HeldGradient(), lambda p: p.W.T @ p.R),
    # What was spread gets the sum over all places.
    (Pass(), lambda p: p.R if p.R.size == p.x.size else (p.W != 0).T @ p.R),
    (GuidedBackprop(), lambda p: p.W.T @ oracle.plus(p.R)),
    (Deconvnet(), lambda p: oracle.plus(p.R)),
    (BetaSmooth(3), lambda p: p.R / (1 + np.exp(-3 * p.x))),
]


def problem(layer: Bound) -> Problem:
    """The layer as a dense matrix, with some relevance of its output."""
    return Problem.of(layer, rng(3).standard_normal(layer.forward(layer.x).shape))


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.kind == "convolution"], ids=str)
def test_a_box_may_differ_from_channel_to_channel(example: Example):
    (layer,) = example.layers()
    channels = layer.x.shape[1]
    low, high = -rng(4).uniform(2, 3, channels), rng(5).uniform(2, 3, channels)
    everywhere = (
        np.expand_dims(bound, tuple(range(1, layer.x.ndim - 1))) + 0 * layer.x for bound in (low, high)
    )
    wanted = problem(layer).by(oracle.zbox, EPS, *map(flat, everywhere))
    R = rng(3).standard_normal(layer.forward(layer.x).shape)
    handed = ZBox(tuple(low), tuple(high), eps=EPS)(layer, layer.x, Relevance(None, R))
    assert relative(flat(handed.whole), wanted.R_in) < compared.SINGLE


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
@np.errstate(divide="ignore", invalid="ignore")
def test_behind_a_relu_its_output_stands_for_z(example: Example):
    """R / st(relu(z)) is R / st(z) where R is 0 wherever the Relu is closed."""
    for layer in example.layers():
        z = layer.forward(layer.x)
        R = rng(3).standard_normal(z.shape) * (z > 0)
        for rule in (rule for rule, _ in FORMULAS if rule.takes_relu and rule.fits(layer.kind)):
            behind = layer.at(layer.x, oracle.plus(z))
            behind = replace(behind, layer=layer.layer.having(signed=False))
            plain = rule(layer.at(layer.x, z), layer.x, Relevance(None, R)).whole
            for handed in (Relevance(None, R), Relevance(behind.z, R / np.where(z > 0, z, 1))):
                assert relative(flat(rule(behind, layer.x, handed).whole), flat(plain)) < 1e-12, rule


def error(
    layer: Bound, p: Problem, rule: Rule, formula: Callable[[Problem], Any], samples: int, as_product: bool
) -> float:
    """The largest error of R_in, and of each sample's shares relative to what there was to share.

    `as_product`: the relevance is handed as z·c, z the layer's recorded output; else plain.
    """
    z = layer.forward(layer.x)
    if as_product:
        c = rng(8).standard_normal(z.shape)
        p = p._replace(R=(z * c).ravel())
    if isinstance(rule, Zero | Linearised):  # it has no answer where z is 0: rows that no window reaches
        p = p._replace(R=p.R * (z.ravel() != 0))
    if as_product:
        found = answer(rule, layer.at(layer.x, z), Relevance(z, c), samples)
    else:
        found = answer(rule, layer, Relevance(None, p.R.reshape(z.shape)), samples)
    return distance(found, formula(p), p.R)


def test_every_rule_has_a_formula():
    assert {type(rule) for rule, _ in FORMULAS} == set(RULES.values()) - {
        SignalTakesAll
    }  # test_recurrent.py has it


@pytest.mark.parametrize("signs", ["signed", "not negative"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_rule_is_the_papers_formula(example: Example, signs: str):
    samples = len(next(iter(example.feeds().values()))) if example.batch else 1
    wrong = []
    for layer in example.layers():
        if signs == "not negative":
            layer = layer.at(like(abs(flat(layer.x)), layer.x))
            layer = replace(layer, layer=layer.layer.having(nonnegative=True))
        fitting = [(rule, formula) for rule, formula in FORMULAS if rule.fits(layer.kind)]
        if layer.kind in ("curved", "normalization", "quotient"):  # of z − Jx the bias is a part alone
            fitting = [pair for pair in fitting if not getattr(pair[0], "zero_params", ())]
        assert fitting, f"no rule can be put on {example.operator}"
        whole = problem(layer)
        averaged = problem(layer.averaged()) if layer.kind == "winner" else whole
        bends = ("normalization", "quotient", "activation", "curved")
        with np.errstate(divide="ignore", invalid="ignore"):  # of what has no value at 0
            held = problem(layer.held()) if layer.kind in bends else whole
        each = held._replace(W=held.W / layer.degree)  # its part of what a product of several hands on
        expanded = problem(layer.expanded()) if layer.kind == "normalization" else whole
        instead = {Average: averaged, Held: held, HeldGradient: each, Taylor: expanded}
        for rule, formula in fitting:
            p = instead.get(type(rule), whole)
            for as_product in (False, True):
                with np.errstate(divide="ignore", invalid="ignore"):
                    worst = error(layer.at(layer.x), p, rule, formula, samples, as_product)
                compared.BY_FORMULA[layer.kind].record(example.operator, rule.name(), worst)
                if not worst < compared.SINGLE:
                    wrong.append(f"{rule} of {'z·c' if as_product else 'R'}: {worst:.2g}")
    assert not wrong, f"{example}, {signs} input: {wrong}"
