"""Which layer an operator has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from .. import plugins
from ..errors import RegistrationError, check_derived, shown
from ..model.operators import LAYERS, NOTHING_KNOWN, Facts, checked, known
from .base import Layer
from .kinds import KINDS, Kind

LayerType = TypeVar("LayerType", bound="type[Layer]")
REGISTRY: dict[str, type[Layer]] = LAYERS
# What the methods of a layer are called with.
ARGUMENTS = {
    "forward": ("x", "p"),
    "derivative": ("x", "p"),
    "transpose": ("s", "at"),
    "bias": ("at",),
    "bias_share": ("s", "at"),
    "intercept_share": ("s", "at"),
    "held": ("at",),
    "unbiased": ("p",),
    "prepare": ("values",),
}


def register(*operators: str, replace: bool = False) -> Callable[[LayerType], LayerType]:
    """Declare a class as the layer of one or more ONNX operators.

    Parameters
    ----------
    *operators : str
        ``Relu``; of another domain than ONNX's own ``com.example.MyScale`` or ``com.example::MyScale``.
    replace : bool
        Take the place of the layer that an operator has already.

    Raises
    ------
    RegistrationError
        A name that no node can have, an operator that has a layer already, what is no layer, one whose
        kind is no `Kind` or has the name of another, or whose methods take other arguments.
    """
    if not operators:
        raise RegistrationError("register: name the operator, such as @register('com.example.MyScale')")
    names = [checked(name) for name in operators]

    def declare(layer: LayerType) -> LayerType:
        check_derived("layer", layer, Layer)
        _check_arguments(layer)
        for name in names:
            if name in REGISTRY and not replace:
                holder = f"{REGISTRY[name].__module__}.{REGISTRY[name].__qualname__}"
                raise RegistrationError(
                    f"{name} has a layer already, {holder}: register({name!r}, replace=True) takes its place"
                )
        for kind in kinds_of(layer):
            if not isinstance(kind, Kind) or KINDS.setdefault(kind.name, kind) != kind:
                what = (
                    f"{kind}, a name that another Kind has"
                    if isinstance(kind, Kind)
                    else f"{kind!r}, no Kind"
                )
                raise RegistrationError(
                    f"{layer.__qualname__}: its kind is {what}; take one from explainer.layers.kinds, "
                    "such as SUM, or declare one of your own"
                )
        REGISTRY.update(dict.fromkeys(names, layer))
        return layer

    return declare


def _check_arguments(layer: type[Layer]) -> None:
    """Refuse methods that cannot be called as they are: those of old took no `p` and no `at`."""
    for name, wanted in ARGUMENTS.items():
        method = getattr(layer, name, None)
        if method is None:
            continue
        try:
            inspect.signature(method).bind("self", *wanted)
        except TypeError:
            own, called = ", ".join(inspect.signature(method).parameters), ", ".join(("self", *wanted))
            raise RegistrationError(
                f"{layer.__qualname__}.{name}({own}): it is called as {name}({called}); "
                "see docs/adding-an-operator.md"
            ) from None


def kinds_of(layer: type[Layer]) -> tuple[Kind, ...]:
    """The kinds that an operator's layer can have: another where several operands are activations, say.

    Raises
    ------
    RegistrationError
        It is no class of a layer.
    """
    check_derived("layer", layer, Layer)
    own: Kind = getattr(layer, "kind", None)  # type: ignore[assignment]  # `register` refuses a layer without
    others = (*layer.forms, *filter(None, (layer.of_several,)))
    return tuple(dict.fromkeys((own, *(kind for other in others for kind in kinds_of(other)))))


def facts_of(operator: str) -> Facts:
    """What is known of an operator: by its layer's class, or where that is silent or absent by ourselves."""
    if not isinstance(operator, str):
        raise RegistrationError(f"an operator's name is a text, such as 'Conv', not {shown(operator)}")
    facts = REGISTRY[operator].facts if operator in REGISTRY else NOTHING_KNOWN
    return known(operator) if facts == NOTHING_KNOWN else facts


def supported() -> dict[str, type[Layer]]:
    """Operator name -> layer, sorted by name; those of installed plugins too."""
    plugins.load()
    return dict(sorted(REGISTRY.items()))
