"""The one exception that exporting raises for whatever a caller can mend."""


class ExportError(Exception):
    """A model that cannot be exported, or whose file does not compute what the model computes."""
