"""Ways of explaining, by name: one walk, many walks, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from .. import plugins
from ..errors import InputError
from .base import InputXGradient, Method, Problem, Progress, Walk
from .cam import GradCam, GradCamPlusPlus
from .deeplift import DeepLift
from .noise import KINDS, Noise
from .occlusion import Occlusion
from .paths import GradientShap, IntegratedGradients
from .rise import Rise
from .sampling import Sampling

NoiseLike: TypeAlias = "str | tuple[str, Mapping[str, Any]] | None"

__all__ = [
    "COMPOSITES",
    "KINDS",
    "METHODS",
    "NAMES",
    "Asked",
    "DeepLift",
    "GradCam",
    "GradCamPlusPlus",
    "GradientShap",
    "InputXGradient",
    "IntegratedGradients",
    "Method",
    "Noise",
    "NoiseLike",
    "Occlusion",
    "Problem",
    "Progress",
    "Rise",
    "Sampling",
    "Walk",
    "get",
]

METHODS: dict[str, type[Method]] = {
    "lrp": Walk,
    "input_x_gradient": InputXGradient,
    "integrated_gradients": IntegratedGradients,
    "gradient_shap": GradientShap,
    "deeplift": DeepLift,
    "grad_cam": GradCam,
    "grad_cam_plus_plus": GradCamPlusPlus,
    "occlusion": Occlusion,
    "rise": Rise,
}
# Methods that are a composite: another name for `lrp` with it.
COMPOSITES = ("gradient", "guided_backprop", "deconvnet", "excitation_backprop", "beta_smooth")
NAMES = (*METHODS, *KINDS, *COMPOSITES)


@dataclass(frozen=True)
class Asked:
    """What a method's name and options come down to.

    Attributes
    ----------
    method : Method
    composite : str
        The composite that the method asks for; "" where the caller's is used.
    parameters : dict
        Options that are the composite's.
    """

    method: Method
    composite: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def get(name: str = "lrp", noise: NoiseLike = None, options: Mapping[str, Any] | None = None) -> Asked:
    """A method by name, with its options.

    Parameters
    ----------
    name : str
        See `NAMES`.
    noise : str or (str, dict), optional
        "smoothgrad", "smoothgrad_sq" or "vargrad": around the method; with options of its own, or
        with those of `options` that the method does not take.
    options : dict
        The method's options; of a method that is a composite, the composite's parameters.

    Raises
    ------
    InputError
        No such method, or options that it does not take.
    """
    plugins.load()
    given = dict(options or {})
    if name not in NAMES:
        near = get_close_matches(str(name), NAMES)
        raise InputError(f"no method {name!r}; there is: {', '.join(near or NAMES)}")
    if name in KINDS and noise is None:
        name, noise, given = "gradient", (name, given), {}
    if name in KINDS:
        raise InputError(f"method {name!r} is itself noise={name!r} around the gradient; give one of both")
    kind, around = _noise(noise)
    if kind:
        own = _takes(METHODS[name]) if name in METHODS else []
        shared = [key for key in given if key in _takes(Noise) and key not in own]
        around = {**{key: given.pop(key) for key in shared}, **around}
    if name == "lrp" or name in COMPOSITES:
        asked = Asked(Walk(), "" if name == "lrp" else name, given)
    else:
        method = build(METHODS[name], name, given)
        asked = Asked(method, method.composite)
    if not kind:
        return asked
    noisy = build(Noise, kind, around, kind=kind, around=asked.method)
    return Asked(noisy, asked.composite, asked.parameters)


def _noise(noise: NoiseLike) -> tuple[str, dict[str, Any]]:
    """The kind of noise, "" for none, and its options."""
    if noise is None:
        return "", {}
    kind, options = (noise, {}) if isinstance(noise, str) else noise
    if kind not in KINDS:
        raise InputError(f"noise: {kind!r} is not one of {', '.join(KINDS)}")
    return kind, dict(options)


def _takes(method: type[Method]) -> list[str]:
    """The options that a caller may give."""
    return [key for key in method.options() if key not in ("kind", "around")]


def build(method: type[Method], name: str, options: Mapping[str, Any], **fixed: Any) -> Method:
    """A method with its options, and what is not the caller's to give.

    Raises
    ------
    InputError
        Options that it does not take.
    """
    known = _takes(method)
    if wrong := [key for key in options if key not in known]:
        takes = ", ".join(known) or "no options"
        raise InputError(f"method {name!r} takes no {', '.join(wrong)}; it takes {takes}")
    try:
        return method(**options, **fixed)
    except (TypeError, ValueError) as error:
        raise InputError(f"method {name!r}: {error}") from error
