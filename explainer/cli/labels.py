"""Class names from a file."""

from __future__ import annotations

import json
from typing import Any

import click

import explainer


class LabelFile(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """One name a line, or JSON: a list, a dict of index to name, or one with ``id2label``."""

    name = "file"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            with explainer.files.opened(value) as file:
                text = file.read().decode("utf-8-sig").rstrip()
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value}: {getattr(error, 'strerror', None) or 'not a text file'}", param, ctx)
        if not text.startswith(("[", "{")):
            return text.splitlines()
        try:
            names = json.loads(text)
            names = names.get("id2label", names) if isinstance(names, dict) else names
            if isinstance(names, list):
                return [str(name) for name in names]
            return {int(index): str(name) for index, name in names.items()}
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            self.fail(f"{value}: not a JSON list of names, or dict of index to name ({error})", param, ctx)
