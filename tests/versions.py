"""Releases of what is installed: of some, a test knows that they are wrong."""

from importlib.metadata import version

from packaging.version import Version


def before(package: str, release: str) -> bool:
    """Whether an older release of a package is installed."""
    return Version(version(package)) < Version(release)
