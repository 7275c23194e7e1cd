"""The one exception that exporting raises for whatever a caller can mend."""


class ExportError(Exception):
    """A model that cannot be exported, or whose file does not compute what the model computes."""

    def __str__(self) -> str:
        # Names in it came out of files: what a terminal would obey is written out, too much is left out.
        text = "\n".join(map(str, self.args))
        if len(text) > 4000:
            text = f"{text[:2000]}... ({len(text):,} characters) ...{text[-2000:]}"
        return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
