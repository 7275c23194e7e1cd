"""Methods by name: which there are, whose options they take, and the composite that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from .. import composites, plugins
from ..composites import Composite, CompositeLike
from ..errors import InputError, RegistrationError, check_derived, check_name, folded, no_such, shown
from ..inputs.preprocess import Preprocess
from ..plain.checks import check_held
from .base import Method
from .cam import GradCam, GradCamPlusPlus
from .deeplift import DeepLift
from .fullgrad import FullGrad, FullGradPlus
from .noise import KINDS, Noise
from .occlusion import Occlusion
from .paths import GradientShap, IntegratedGradients
from .rise import Rise
from .single import InputXGradient, Walk

NoiseLike: TypeAlias = "str | tuple[str, Mapping[str, Any]] | None"

MethodType = TypeVar("MethodType", bound="type[Method]")
METHODS: dict[str, type[Method]] = {
    "lrp": Walk,
    "input_x_gradient": InputXGradient,
    "integrated_gradients": IntegratedGradients,
    "gradient_shap": GradientShap,
    "deeplift": DeepLift,
    "fullgrad": FullGrad,
    "fullgrad_plus": FullGradPlus,
    "grad_cam": GradCam,
    "grad_cam_plus_plus": GradCamPlusPlus,
    "occlusion": Occlusion,
    "rise": Rise,
}
# Methods that are a composite: another name for `lrp` with it.
COMPOSITES = ("gradient", "libragrad", "guided_backprop", "deconvnet", "excitation_backprop", "beta_smooth")
# What papers and other tools (captum, zennit, iNNvestigate, tf-explain, pytorch-grad-cam) call methods,
# folded, where no letter of ours would tell.
ALIASES = {
    "ig": "integrated_gradients",
    "integratedgradient": "integrated_gradients",
    **dict.fromkeys(("gradcam++", "gradcampp"), "grad_cam_plus_plus"),
    "fullgrad+": "fullgrad_plus",
    "fullgradient": "fullgrad",
    **dict.fromkeys(
        ("inputtgradient", "inputtimesgradient", "gradientxinput", "gradientsinputs", "gradxinput"),
        "input_x_gradient",
    ),
    **dict.fromkeys(("gradients", "vanillagradient", "vanillagradients", "saliency"), "gradient"),
    "guidedbackpropagation": "guided_backprop",
    "deconvolution": "deconvnet",
    "occlusionsensitivity": "occlusion",
    "smoothgradsquared": "smoothgrad_sq",
    "layerwiserelevancepropagation": "lrp",
}
# Methods of other tools that there are none of here, folded, and what is nearest in kind.
_SAMPLED = ("rise", "occlusion")  # scores of changed inputs alone
_CAMS = ("grad_cam", "grad_cam_plus_plus")
ABSENT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("lime", "limebase", "anchors", "shap", "kernelshap", "partitionshap"), _SAMPLED),
    **dict.fromkeys(("shapley", "shapleyvalue", "shapleyvalues", "shapleyvaluesampling"), _SAMPLED),
    **dict.fromkeys(("samplingshap", "permutationshap", "treeshap", "linearshap"), _SAMPLED),
    **dict.fromkeys(("featureablation", "featurepermutation", "meaningfulperturbation"), ("occlusion",)),
    **dict.fromkeys(("deepshap", "deepliftshap"), ("deeplift", "gradient_shap")),
    **dict.fromkeys(("expectedgradients", "expectedgradient"), ("gradient_shap",)),
    **dict.fromkeys(("cam", "scorecam", "ablationcam", "layercam", "xgradcam", "hirescam"), _CAMS),
    **dict.fromkeys(("eigencam", "eigengradcam", "groupcam", "sscam", "iscam", "smoothgradcam"), _CAMS),
    "guidedgradcam": ("guided_backprop", "grad_cam"),
    **dict.fromkeys(("blurig", "guidedig", "xrai", "idgi", "agi"), ("integrated_gradients",)),
    **dict.fromkeys(("patternnet", "patternattribution", "rectgrad"), ("lrp",)),
    **dict.fromkeys(("attentionrollout", "rollout", "attention", "transformerattribution"), ("lrp",)),
}


def names() -> tuple[str, ...]:
    """Every name of a method."""
    return (*METHODS, *KINDS, *COMPOSITES)


def spelled(name: Any) -> tuple[Any, str]:
    """The method that a name means, in any tool's spelling, and the composite that it names beside it.

    ``GradCAM`` and ``grad-cam`` are ``grad_cam``. The name of a preset, ``lrp_epsilon`` or
    ``lrp.sequential_preset_a``, is ``lrp`` with it. What nothing is called is returned as it is.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of name of a method, and name of a composite or ""
    """
    if not isinstance(name, str) or name in names():
        return name, ""
    key = folded(name)
    known = {**ALIASES, **{folded(one): one for one in names()}}
    if key in known:
        return known[key], ""
    preset = composites.named(name)
    return (name, "") if preset is None else ("lrp", preset)


def spelled_noise(noise: Any) -> Any:
    """The same of a noise's name, alone or beside options."""
    if isinstance(noise, tuple) and len(noise) == 2:
        return spelled_noise(noise[0]), noise[1]
    found, _ = spelled(noise)
    return found if isinstance(found, str) and found in KINDS else noise


def refuse_unknown(name: object) -> None:
    """Refuse what is no method's name.

    Raises
    ------
    InputError
    """
    if not isinstance(name, str) or name not in names():
        if isinstance(name, str) and (alike := ABSENT.get(folded(name))):
            nearest = " and ".join(map(repr, alike))
            raise InputError(
                f"no method {shown(name)}: it is not among those here; nearest in kind: {nearest}. "
                "`onnx-lrp methods` lists all"
            )
        raise InputError(no_such("method", name, names(), lists="onnx-lrp methods"))


def register(name: str, *, replace: bool = False) -> Callable[[MethodType], MethodType]:
    """Make a method known by a name: a decorator of its class.

    Parameters
    ----------
    name : str
    replace : bool
        Whether it takes the place of another of that name.

    Raises
    ------
    RegistrationError
        Another method has that name; or it is no name, or no method.
    """
    check_name("method", name, '@methods.register("squared_gradient")')

    def declare(method: MethodType) -> MethodType:
        check_derived("method", method, Method)
        if name in names() and (name not in METHODS or not replace):
            raise RegistrationError(
                f"there is a method {name!r} already: give yours another name, or replace=True"
            )
        METHODS[name] = method
        return method

    return declare


@dataclass(frozen=True)
class Resolved:
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

    def composed(
        self,
        composite: CompositeLike | None,
        preprocess: Callable[[], Preprocess | None],
        **settings: Any,
    ) -> Composite:
        """The composite of the method's walks: the caller's, else the method's own, else ε.

        Parameters
        ----------
        composite : CompositeLike, optional
        preprocess : callable
            Returns how an image becomes the input, or None; resolved where bounds of the input are needed.
        **settings
            rules, dialect and eps, as `composites.get` takes them.

        Raises
        ------
        CompositeError, PreprocessError
        """

        def bound(index: int) -> float | tuple[float, ...] | None:
            how = preprocess()
            if how is None:
                return None
            values = how.bounds()[index]
            # One number also fits an input whose channels have been flattened.
            return values[0] if len(set(values)) == 1 else values

        bounds = {"low": lambda: bound(0), "high": lambda: bound(1)}
        name = (self.composite or "epsilon") if composite is None else composite
        return composites.get(name, defaults=bounds, **settings, **self.parameters)


def get(name: str = "lrp", noise: NoiseLike = None, options: Mapping[str, Any] | None = None) -> Resolved:
    """A method by name, with its options.

    Parameters
    ----------
    name : str
        One of `names()`, or of what others call them: see `spelled`.
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
    check_held("options", options)
    check_held("noise", noise)
    if not isinstance(options, Mapping | None) or not all(isinstance(one, str) for one in options or ()):
        raise InputError(f"options: a dict of option -> value, not {shown(options)}")
    given = dict(options or {})
    (name, preset), noise = spelled(name), spelled_noise(noise)
    refuse_unknown(name)
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
        if name == "lrp":  # a composite says itself what it takes
            _refuse_others(name, given)
        resolved = Resolved(Walk(), preset if name == "lrp" else name, given)
    else:
        method = build(METHODS[name], name, given)
        resolved = Resolved(method, method.composite)
    if not kind:
        return resolved
    noisy = build(Noise, kind, around, kind=kind, around=resolved.method)
    return Resolved(noisy, resolved.composite, resolved.parameters)


def _refuse_others(name: str, given: Mapping[str, Any]) -> None:
    """Refuse what other methods take, and no composite."""
    known = composites.parameters()
    for option in given:
        if option not in known and (others := taking(option)):
            raise InputError(f"method {name!r} takes no {option}; it is an option of {', '.join(others)}")


def _noise(noise: NoiseLike) -> tuple[str, dict[str, Any]]:
    """The kind of noise, "" for none, and its options."""
    if noise is None:
        return "", {}
    pair = (noise, {}) if isinstance(noise, str) else noise
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], Mapping):
        raise InputError(f"noise: a name or (name, {{option: value}}), not {shown(noise)}")
    kind, options = pair
    if not all(isinstance(name, str) for name in options):
        raise InputError(f"noise: options go by their names, not {shown(options)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"noise: {no_such('kind', kind, KINDS)}")
    return kind, dict(options)


def takes(name: str, noisy: bool = False) -> list[str]:
    """The options that a method takes; of one that is a composite, the parameters of any."""
    if name in METHODS and name != "lrp":
        own = _takes(METHODS[name])
    elif name in KINDS:
        own = _takes(Noise)
    else:
        own = composites.parameters(None if name == "lrp" else name)
    return list(dict.fromkeys([*own, *(_takes(Noise) if noisy else ())]))


def taking(option: str) -> list[str]:
    """What takes an option: methods by name, and the composites that have it as a parameter."""
    found = [name for name, method in METHODS.items() if option in _takes(method)]
    found += [f"noise {name!r}" for name in KINDS if option in _takes(Noise)]
    made = [name for name in composites.COMPOSITES if option in composites.parameters(name)]
    return found + [f"composite {name!r}" for name in made]


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
