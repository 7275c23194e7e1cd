"""One exception tree: catch `ExplainerError` and print it, and no user ever sees a traceback."""


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
    """A layer, kind, rule or composite cannot be declared so: no node could have it, or there is one."""


class NumericalError(ExplainerError):
    """NaN or infinity in the forward pass or in the walk; the message names the node."""


class OutputError(ExplainerError):
    """A result cannot be written where it was asked for."""
