"""One exception tree: catch `ExplainerError` and print it, and no user ever sees a traceback."""

import re


class ExplainerError(Exception):
    """Something that the user can mend. The message says what is wrong, where, and what to do next."""


class ModelError(ExplainerError):
    """The model file cannot be read, checked or run."""


class UnsupportedError(ExplainerError):
    """The path from target to input has nodes without a layer or a rule; all of them are listed."""


class InputError(ExplainerError):
    """The image or array is unreadable, or does not fit the model's input."""


class PreprocessError(ExplainerError):
    """The preprocessing is missing, contradictory or out of range."""


class TargetError(ExplainerError):
    """No such output, tensor, index or label, or none that can be explained."""


class CompositeError(ExplainerError):
    """No such composite or rule, or parameters that it does not take."""


class RegistrationError(ExplainerError):
    """What is declared is no layer, kind, rule, canonizer, composite or method; or there is one already."""


class NumericalError(ExplainerError):
    """NaN or infinity in the forward pass or in the walk; the message names the node."""


class OutputError(ExplainerError):
    """A result cannot be written where it was asked for."""


def check_name(what: str, name: object, how: str) -> None:
    """Refuse what cannot be a name: in text, in files and on the command line.

    Parameters
    ----------
    what : str
        What is registered: "method".
    name : object
    how : str
        How it is done right, for the message.

    Raises
    ------
    RegistrationError
    """
    if not isinstance(name, str) or re.fullmatch(r"\w[\w.-]*", name) is None:
        shown = f"the {name.__name__} itself" if isinstance(name, type) else repr(name)
        raise RegistrationError(
            f"{shown} is no name of a {what}: it has letters, digits and . _ - alone; write {how}"
        )


def check_derived(what: str, thing: object, base: type) -> None:
    """Refuse what is no class of a kind.

    Raises
    ------
    RegistrationError
    """
    if not (isinstance(thing, type) and issubclass(thing, base)):
        shown = thing.__qualname__ if isinstance(thing, type) else repr(thing)
        home = ".".join(base.__module__.split(".")[:2])
        raise RegistrationError(
            f"{shown} is no {what}: register a class that derives from {home}.{base.__name__}"
        )
