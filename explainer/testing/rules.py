"""Whether a rule is its formula, and hands on what it is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..compiler.examples import Examples
from ..errors import shown
from ..layers import Bound
from ..model.graph import Graph
from ..rules import RULES, Handed, Relevance, Rule, parse
from ..rules.answers import HOW, MISTAKES, mistaken
from ..tensor import Array, Bundle
from .comparing import by_sample, drawn, is_array, relative, require
from .dense import Dense, flat, like
from .layers import ExampleLike, Met, met
from .recording import recorded
from .samples import models

# A rule on a dense layer, written as its paper has it: R_in, or with the shares of the bias and of ε.
Formula = Callable[[Dense], Any]

# Of float64, relative to the largest value.
EXACT = 1e-12
# Of float32 by onnxruntime: an ε rule divides by what rounding has touched.
ROUNDING = 1e-3


class Answer(NamedTuple):
    """What a rule made of one layer.

    Attributes
    ----------
    whole : array or Bundle of arrays
        R_in.
    bias, epsilon : array (N,)
        What went to constants, and what the stabiliser kept.
    """

    whole: Any
    bias: Array
    epsilon: Array

    @property
    def R_in(self) -> Array:
        """As one vector."""
        return flat(self.whole)


def check_rule(
    rule: Rule | str,
    formula: Formula | None = None,
    *,
    examples: Sequence[ExampleLike] = (),
    tolerance: float = EXACT,
) -> None:
    """Prove a rule on layers of every kind that it is for.

    It answers with relevance in the shape of the input; what it hands on, what it says went to
    constants and what to ε is what it was handed, unless it says that it does not conserve; it makes the
    same of R and of R = z·c; an input of 0 gets nothing where it says so; on symbols it records what it
    computes on arrays; and written as text it is read back. With a formula, its numbers are the formula's.

    Parameters
    ----------
    rule : Rule or str
        As text, it is read as everywhere.
    formula : callable, optional
        (`Dense`) -> R_in as a vector, or (R_in, the bias's share, ε's share), each a vector that sums up
        to it: the rule as its paper writes it, on the matrix of the layer.
    examples : sequence of model, or (model, dict of input name -> array)
        Layers to try it on, in place of the ones here: for a kind of one's own.
    tolerance : float
        In float64, relative to the largest value.

    Raises
    ------
    AssertionError
        What does not hold, and for which layer.
    CompositeError
        No rule has such a text.
    TypeError
        Something asks for a value while it is recorded: at the line where it stands.
    """
    if isinstance(rule, type):
        raise AssertionError(f"{rule.__qualname__} is a class: give a rule, {rule.__qualname__}(...)")
    require(isinstance(rule, Rule | str), f"{shown(rule):.80} is no rule: derive from explainer.rules.Rule")
    rule = parse(rule)
    require(hash(rule) == hash(replace(rule)) and rule == replace(rule), f"{rule}: it is no frozen value")
    if RULES.get(rule.name()) is type(rule):
        require(parse(str(rule)) == rule, f"{rule}: read back from its own text it is {parse(str(rule))}")
    found = list(_layers(rule, examples))
    kinds = ", ".join(sorted(rule.kinds or ())) or "any"
    require(bool(found), f"{rule}: no layer here is of kind {kinds}; give examples")
    for one in found:
        try:
            _check_on(rule, formula, one, tolerance)
        except AssertionError as error:
            raise AssertionError(f"{rule} on {one.layer.node}: {error}") from None


def _layers(rule: Rule, examples: Sequence[ExampleLike]) -> Iterator[Met]:
    for example in examples or models():
        model, feeds = example if isinstance(example, tuple) else (example, None)
        graph = Graph.load(model)
        given = Examples.of(graph, None).feeds(2) if feeds is None else dict(feeds)
        yield from (one for one in met(graph, given, graph.nodes) if rule.fits(one.layer.kind))


def _check_on(rule: Rule, formula: Formula | None, one: Met, tolerance: float) -> None:
    signed = one.bound()
    positive = signed.at(like(abs(flat(signed.x)), signed.x))
    positive = replace(positive, layer=positive.layer.having(nonnegative=True))
    for layer in (signed, positive):
        z = layer.forward(layer.x)
        c = drawn("factor").standard_normal(z.shape)
        plain = answer(rule, layer, Relevance(None, z * c), len(z))
        product = answer(rule, layer.at(layer.x, z), Relevance(z, c), len(z))
        shapes, wanted = _shapes(plain.whole), _shapes(layer.x)
        require(shapes == wanted, f"it hands on {shapes} to inputs of {wanted}")
        gap = relative(product.R_in, plain.R_in)
        require(gap < tolerance, f"of R = z·c it makes another answer than of R itself, by {gap:.2g}")
        if rule.conserving:
            check_conserved(plain, z * c, tolerance)
        if formula is not None:
            R_in = formula(Dense.of(layer, z * c))
            _check_formula(R_in, plain)
            gap = error(plain, R_in, z * c)
            require(gap < tolerance, f"it differs from the formula by {gap:.2g} of the largest value")
        if rule.proportional:
            _check_proportional(rule, layer)
    _check_symbols(rule, one.bound(np.float32))


def _shapes(value: Any) -> list[tuple[int, ...]]:
    return [part.shape for part in (value if isinstance(value, tuple) else (value,))]


def answer(rule: Rule, layer: Bound, R: Relevance, samples: int = 1) -> Answer:
    """What a rule hands on at a layer, and where the rest went, summed for each sample.

    Raises
    ------
    AssertionError
        It is no answer.
    """
    try:
        handed = rule(layer, layer.x, R)
        require(isinstance(handed, Handed), f"it answers with {type(handed).__name__}, not with Handed")
        shares = [entry.shares() for entry in handed.account]
        bias, epsilon, intercept = (
            np.sum([np.zeros(samples), *(by_sample(share[place], samples) for share in shares)], axis=0)
            for place in (0, 1, 2)
        )
        whole = handed.whole
    except MISTAKES as error:
        raise AssertionError(mistaken(error)) from error
    require(is_array(whole), f"it hands on {type(whole).__name__}, not an array for each input; {HOW}")
    return Answer(whole, bias + intercept, epsilon)


def _check_formula(wanted: Any, found: Answer) -> None:
    """A formula gives a vector for the inputs, and with the shares two more."""
    what = wanted if isinstance(wanted, tuple) else (wanted,)
    given = ", ".join(str(np.shape(part)) if is_array(part) else type(part).__name__ for part in what)
    size, samples = len(found.R_in), len(found.bias)
    count = 3 if isinstance(wanted, tuple) else 1
    fits = len(what) == count and all(map(is_array, what)) and np.shape(what[0]) == (size,)
    require(
        fits and all(np.size(part) % samples == 0 for part in what[1:]),
        f"the formula returns {given}: it is R_in, of shape ({size},), or (R_in, the bias's share, ε's)",
    )


def error(found: Answer, wanted: Any, R: Array) -> float:
    """How far an answer is from a formula's: the largest error of R_in, and of each sample's shares.

    R_in is relative to its largest value, a share to what there was to share.
    """
    if not isinstance(wanted, tuple):
        return relative(found.R_in, wanted)
    samples = len(found.bias)
    errors = [relative(found.R_in, wanted[0])]
    for ours, theirs in zip((found.bias, found.epsilon), wanted[1:], strict=True):
        gap = abs(ours - by_sample(theirs, samples))
        amount = by_sample(abs(np.ravel(R)) + abs(np.ravel(theirs)), samples)
        errors.append(float(np.max(gap / amount)))
    return max(errors)


def check_conserved(found: Answer, R: Array, tolerance: float = EXACT) -> None:
    """ΣR = ΣR_in + the shares of constants and of ε.

    Raises
    ------
    AssertionError
    """
    accounted = found.R_in.sum() + found.bias.sum() + found.epsilon.sum()
    amount = float(abs(R).sum() + abs(found.R_in).sum() + abs(found.bias).sum() + abs(found.epsilon).sum())
    require(
        abs(float(R.sum() - accounted)) <= tolerance * amount,
        f"it is handed {R.sum():.6g} and accounts for {accounted:.6g}: say what was divided, or that it is "
        "not conserving",
    )


def _check_proportional(rule: Rule, layer: Bound) -> None:
    """Half of the input is 0, and gets nothing."""
    x = flat(layer.x) * (np.arange(flat(layer.x).size) % 2)
    here = layer.at(like(x, layer.x))
    z = here.forward(here.x)
    R = drawn("relevance").standard_normal(z.shape) * (z != 0)
    found = answer(rule, here, Relevance(None, R)).R_in
    require(
        not found[x == 0].any(), "an input of 0 gets relevance, though the rule says it is proportional to x"
    )


def _check_symbols(rule: Rule, layer: Bound) -> None:
    """On symbols it records nodes that compute what it computes on arrays."""
    z = layer.forward(layer.x)
    c = drawn("recorded factor").standard_normal(z.shape).astype(z.dtype)
    inputs = layer.x if isinstance(layer.x, tuple) else (layer.x,)
    letters = list(layer.p)

    def body(z: Any, c: Any, *others: Any) -> Any:
        parts, parameters = others[: len(inputs)], others[len(inputs) :]
        x = Bundle(parts) if isinstance(layer.x, tuple) else parts[0]
        bound = layer.layer.bind(x, z, dict(zip(letters, parameters, strict=True)))
        return rule(bound, bound.x, Relevance(None, z * c)).whole

    values = [z, c, *inputs, *layer.p.values()]
    _, _, theirs = recorded(values, body)
    gap = relative(np.concatenate([np.ravel(part) for part in theirs]), flat(body(*values)))
    require(gap < ROUNDING, f"recorded on symbols it is off by {gap:.2g} of the largest value")
