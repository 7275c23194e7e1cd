"""How a model is explained: method, rules and all that is chosen beside them, as one frozen value."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from .. import methods, plugins
from ..composites import Composite, CompositeLike, Dialect, RulesLike
from ..errors import CompositeError, InputError, near, shown
from ..inputs.feeds import as_asked, as_text
from ..inputs.preprocess import Preprocess
from ..methods import Method, NoiseLike
from ..plain.checks import is_one_of
from ..plain.keywords import only_named
from ..plain.tables import html_table, text_table
from ..plain.values import ByValue, FrozenDict, frozen
from ..rules import Gradient, Stabilized, Zero
from ..walk.backends import Backends
from .given import check_kinds, frozen_composite, frozen_keep, frozen_names, frozen_rules
from .options import Options, option_names

# What is said of an option where a recipe's fields stand.
OF_OPTIONS = {name: f"it is an option: options={{{name!r}: ...}}" for name in Options.__annotations__}


@only_named(OF_OPTIONS)
@dataclass(frozen=True, eq=False, repr=False)
class Recipe(ByValue):
    """How a model is explained: what `Explainer` takes beside the model, its preprocessing and labels.

    Frozen, hashable and picklable, and equal to another that says the same. Its repr makes it again
    where the names of `explainer`, `explainer.composites` and `explainer.rules` are known, and np; a
    function that chooses layers is not written so. Printed, it is a table.

    A composite's file is read when the recipe is made, so that it stays what it was.

    Parameters
    ----------
    method, noise, composite, rules, dialect, eps, keep, stop, dtype, engine, forward, audit
        See `Explainer`.
    options : dict
        The method's options; of "lrp" and methods that are composites, the composite's parameters.

    Raises
    ------
    InputError
        An option that nothing takes, another type of numbers, or no such engine or forward.
    CompositeError
        The composite's file cannot be read.
    """

    method: str = "lrp"
    noise: NoiseLike = None
    composite: CompositeLike | None = None
    rules: RulesLike = ()
    dialect: str | None = None
    eps: float | None = None
    keep: Collection[str] | str = ()
    stop: Collection[str] | str = ()
    dtype: Any = "float32"
    engine: str = "auto"
    forward: str = "auto"
    audit: bool | str = True
    options: Mapping[str, Any] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        check_kinds(self.method, self.noise, self.composite, self.dialect, self.eps)
        options = FrozenDict() if self.options is None else self.options
        if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
            raise InputError(f"options: a dict of option -> value, not {shown(self.options)}")
        method, preset = methods.spelled(self.method)
        if preset and self.composite is not None:
            raise CompositeError(
                f"method {self.method!r} is method 'lrp' with composite {preset!r}; composite "
                f"{as_text(self.composite)} is given beside it: give one of the two"
            )
        said = {
            "method": method,
            "noise": frozen(methods.spelled_noise(self.noise)),
            "composite": frozen_composite(preset or self.composite),
            "rules": frozen_rules(self.rules),
            "eps": frozen(self.eps),
            "keep": frozen_keep(self.keep),
            "stop": frozen_names("stop", self.stop),
            "dtype": Backends.of(self.dtype, self.engine, self.forward, self.audit).dtype.name,
            "options": frozen(options),
        }
        for name, value in said.items():
            object.__setattr__(self, name, value)
        self._refuse_unknown()

    def _refuse_unknown(self) -> None:
        if own := sorted(self.options.keys() & set(self._names())):
            raise InputError(f"options: {', '.join(own)} belongs beside them: a field of the recipe's own")
        known = option_names() if self.options else []
        wrong = [name for name in self.options if name not in known]
        if not wrong or not is_one_of(self.method, methods.names()):
            return
        name, takes = wrong[0], methods.registry.takes(self.method, self.noise is not None)
        said = [*takes, *Fields.__annotations__, *BESIDE]
        meant = near(name, said, known, most=1)
        what = f"method {self.method!r} takes no {', '.join(wrong)}"
        if self.method not in methods.COMPOSITES and self.method != "lrp":
            what += f"; it takes {', '.join(takes) or 'no options'}"
        if name in BESIDE:
            hint = f"{BESIDE[name]} takes it, as a keyword of its own"
        elif meant and meant[0] in said:
            hint = f"did you mean {meant[0]}?"
        elif meant:
            hint = f"{meant[0]} is an option of {', '.join(methods.registry.taking(meant[0]))}"
        else:
            hint = "onnx-lrp methods and composites list the options"
        raise InputError(f"{what}; {hint}")

    @classmethod
    def of(cls, how: Mapping[str, Any]) -> Recipe:
        """The recipe that keywords say: fields by name, a whole `recipe`, and options.

        Raises
        ------
        InputError
            The same is said twice.
        """
        plugins.load()
        if not isinstance(how, Mapping) or not all(isinstance(name, str) for name in how):
            raise InputError(f"how: a dict of keyword -> value, not {shown(how)}")
        said = dict(how)
        recipe = said.pop("recipe", None)
        method, options = said.get("method", "lrp"), said.pop("options", None)
        options = cls(method=method, options=options).options  # refused where it is no dict
        more = {name: said.pop(name) for name in list(said) if name not in cls._names()}
        if twice := sorted(options.keys() & more.keys()):
            raise InputError(f"options: {', '.join(twice)} is said beside them too; say it once")
        given = cls(**said, options={**options, **more})
        if recipe is None:
            return given
        if not isinstance(recipe, Recipe):
            raise InputError(f"recipe: an explainer.Recipe, not {shown(recipe)}")
        if beside := [name for name, value in how.items() if name != "recipe" and value is not None]:
            raise InputError(
                f"recipe: it says how; {', '.join(beside)} beside it: recipe.replace(...) makes another"
            )
        return recipe

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some fields changed; an option by its name beside those that it has.

        Raises
        ------
        InputError, CompositeError
            See `Recipe`; or an option is said in `options` and beside them.
        """
        fields = {name: changes.pop(name) for name in self._names() if name in changes}
        if changes:
            options = type(self)(**fields).options  # refused where it is no dict
            if twice := sorted(options.keys() & changes.keys()):
                raise InputError(f"options: {', '.join(twice)} is said beside them too; say it once")
            fields["options"] = {**(options if "options" in fields else self.options), **changes}
        return super().replace(**fields)

    def made(self, preprocess: Callable[[], Preprocess | None]) -> tuple[Method, Composite]:
        """The method, and the composite of its walks.

        Parameters
        ----------
        preprocess : callable
            Returns how an image becomes the input; asked where the rules need the input's bounds.

        Raises
        ------
        InputError, CompositeError, PreprocessError
        """
        if not callable(preprocess):
            raise InputError(
                f"preprocess: a function that returns a Preprocess or None, not {shown(preprocess)}"
            )
        asked = methods.get(self.method, self.noise, self.options)
        if not asked.method.walks:
            self._refuse_rules()
        settings: dict[str, Any] = {"rules": self.rules, "dialect": self.dialect, "eps": self.eps}
        composite = asked.composed(self.composite, preprocess, **settings)
        self._check_kind(composite)
        if self.dialect is not None and composite.gradient and self._dialect != asked.method.dialect:
            plain = asked.composed(self.composite, preprocess, **{**settings, "dialect": None})
            self._refuse_dialect(composite, plain)
        if self.keep:
            asked.method.require_keeping("keep")
        return asked.method, composite

    def _refuse_rules(self) -> None:
        """Refuse what only walks read, where there is none."""
        said = {name: getattr(self, name) for name in ("composite", "rules", "dialect", "eps")}
        wrong = [name for name, value in said.items() if value not in (None, ())]
        if self.engine != "auto":
            wrong.append("engine")
        if wrong:
            raise InputError(
                f"method {self.method!r} asks for scores alone, and walks by no rules: leave out "
                f"{', '.join(wrong)}"
            )

    @property
    def _dialect(self) -> str | None:
        return self.dialect.name if isinstance(self.dialect, Dialect) else self.dialect

    def _refuse_dialect(self, composite: Composite, plain: Composite) -> None:
        """Refuse a dialect that changes none of a gradient's rules.

        Raises
        ------
        InputError
        """
        if composite.rules == plain.rules or all(rule == Gradient() for _, rule in composite.rules):
            raise InputError(
                f"dialect {self._dialect!r} says which form of LRP's rules is meant, and has no effect on "
                f"method {self.method!r} with composite {composite.name!r}, whose gradients are the same in "
                "all: leave it out"
            )

    def _check_kind(self, composite: Composite) -> None:
        """Refuse rules of relevance under a name that means a gradient, and two composites at once.

        Raises
        ------
        CompositeError
        """
        means_gradient = self.method == "gradient" or self.method in methods.KINDS
        if self.composite in (None, self.method) and not (means_gradient and self.rules):
            return
        if means_gradient:
            own = [rule for _, rule in composite.rules if isinstance(rule, Zero | Stabilized)]
            if composite.gradient and not own:
                return
            what = f"{own[0]} hands" if composite.gradient else f"composite {composite.name!r} hands"
            noise = f" under noise={self.method!r}" if self.method in methods.KINDS else ""
            raise CompositeError(
                f"method {self.method!r} is made of gradients, and {what} on relevance: that is method "
                f"'lrp'{noise}"
            )
        if self.method in methods.COMPOSITES:
            raise CompositeError(
                f"method {self.method!r} is itself a composite, and {composite.name!r} is another: give one "
                "of both"
            )

    def __str__(self) -> str:
        return text_table(("recipe", ""), self._table())

    def _repr_html_(self) -> str:
        return html_table((), self._table(), "Recipe")

    def _table(self) -> list[tuple[str, str]]:
        """Method and composite, and whatever is not as it is by default."""
        composite = self.composite.name if isinstance(self.composite, Composite) else self.composite
        said = {name: value for name, value in self._said().items() if name != "options"}
        said |= {"method": self.method, "composite": composite or "the method's own"}
        first = {"method": "", "composite": ""}
        return list((first | as_asked(said) | self.how).items())

    @property
    def keywords(self) -> dict[str, Any]:
        """Whatever is not as it is by default, as keywords of `explain`: options by their own names."""
        said = self._said()
        options = said.pop("options", {})
        return {**said, **options}

    @property
    def backends(self) -> Backends:
        """What runs the model and what walks."""
        return Backends.of(self.dtype, self.engine, self.forward, self.audit)

    @property
    def how(self) -> dict[str, str]:
        """What stands beside method and composite in an explanation: noise, dialect, rules and options."""
        entries: Iterable[Any] = self.rules
        rules = [one if isinstance(one, str) else "=".join(map(as_text, one)) for one in entries]
        said = {
            "noise": self.noise,
            "dialect": self.dialect,
            "rules": rules,
            "eps": self.eps,
            "stop": self.stop,
        }
        return as_asked({**said, **self.options})

    def __reduce__(self) -> tuple[Any, ...]:
        for what in ("rules", "composite"):
            try:
                pickle.dumps(getattr(self, what))
            except Exception as error:  # pickle raises whatever an object does
                raise CompositeError(
                    f"{what}: {error}; a recipe can be pickled where its rules are chosen by selectors, such "
                    "as 'Conv' or '/layer1/*', or by functions that a module holds under their own name"
                ) from error
        return super().__reduce__()


class Fields(TypedDict, total=False):
    """A recipe's fields, as keywords; or a whole `Recipe`."""

    method: str
    noise: NoiseLike
    composite: CompositeLike | None
    rules: RulesLike
    dialect: str | None
    eps: float | None
    keep: Collection[str] | str
    stop: Collection[str] | str
    dtype: Any
    engine: str
    forward: str
    audit: bool | str
    options: Mapping[str, Any]
    recipe: Recipe | None


class Settings(Fields, Options, total=False):
    """The same, and options by name."""


# What doors take beside a recipe, and which of them: for the message where one does not.
BESIDE = {
    **dict.fromkeys(("preprocess", "labels", "max_pixels"), "Explainer or explain"),
    **dict.fromkeys(("providers", "threads", "custom_ops", "fix"), "Explainer, explain or compile"),
    **dict.fromkeys(("target", "start", "against", "conditions"), "explain or compile"),
    "image_size": "compile",
}
