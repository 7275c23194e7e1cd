"""Ways of explaining, by name: one walk, many walks, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from ..errors import InputError
from .base import Gradient, InputXGradient, Method, Problem, Progress, Walk
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
    "Gradient",
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
    "gradient": Gradient,
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
COMPOSITES = ("guided_backprop", "deconvnet", "excitation_backprop", "beta_smooth")
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
    given = dict(options or {})
    if name not in NAMES:
        near = get_close_matches(str(name), NAMES)
        raise InputError(f"no method {name!r}; there is: {', '.join(near or NAMES)}")
    if noise is None and name in KINDS:
        name, noise = "gradient", name
    around: dict[str, Any] = {}
    kind = ""
    if noise is not None:
        kind, around = (noise, {}) if isinstance(noise, str) else (noise[0], dict(noise[1]))
        if kind not in KINDS:
            raise InputError(f"noise: {kind!r} is not one of {', '.join(KINDS)}")
        own = METHODS[name].options() if name in METHODS else []
        shared = [key for key in given if key in _noise_options() and key not in own]
        around = {**{key: given.pop(key) for key in shared}, **around}
    if name in COMPOSITES:
        asked = Asked(Walk(), name, given)
    elif name == "lrp":
        asked = Asked(Walk(), "", given)
    else:
        method = build(METHODS[name], name, given)
        asked = Asked(method, method.composite)
    if not kind:
        return asked
    noisy = build(Noise, kind, {"kind": kind, "around": asked.method, **around})
    return Asked(noisy, asked.composite, asked.parameters)


def _noise_options() -> list[str]:
    return [key for key in Noise.options() if key not in ("kind", "around")]


def build(method: type[Method], name: str, options: Mapping[str, Any]) -> Method:
    """A method with its options.

    Raises
    ------
    InputError
        Options that it does not take.
    """
    known = method.options()
    wrong = [key for key in options if key not in known]
    if wrong:
        takes = ", ".join(key for key in known if key not in ("kind", "around")) or "no options"
        raise InputError(f"method {name!r} takes no {', '.join(wrong)}; it takes {takes}")
    try:
        return method(**options)
    except (TypeError, ValueError) as error:
        raise InputError(f"method {name!r}: {error}") from error
