"""An explanation's arrays, and under which name each stands in an `.npz`.

``relevance`` is that of a model's only input, ``relevance/NAME`` that of each of several and of every kept
tensor, as the outputs of a compiled file are called; so no tensor takes the place of ``target``, ``start``
and the other numbers. An `.npz` is a zip file, each key the path of a member without its ending: what could
not be read back from there by its name, or would lead out of the folder that it is unpacked in, is
percent-encoded, and `urllib.parse.unquote` gives the tensor's name again.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from ..errors import OutputError
from .explained import Explained

# The relevance of a model's only input.
ONE = "relevance"
# NumPy reads the key "x.npy" as the member of that name, which is the key "x"; "." and ".." are folders.
TAKEN = re.compile(r"(?:(?<=/)|^)\.{1,2}(?=/|$)|\.(?=npy$)")
# Of a zip file's member, in bytes: two of them say how many there are. The ending takes four.
LONGEST = 0xFFFF - len(".npy")


def arrays_of(explanation: Explained) -> dict[str, Any]:
    """Name -> array."""
    relevance = explanation.relevance
    maps = (
        {key_of(name): value for name, value in relevance.items()}
        if isinstance(relevance, dict)
        else {ONE: relevance}
    )
    maps |= {key_of(name): value for name, value in explanation.relevances.items()}
    numbers = {name: getattr(explanation, name) for name in ("start", "conserved", "score")}
    sides = {"target": explanation.target, "against": explanation.against}
    return maps | numbers | {name: side for name, side in sides.items() if side is not None}


def key_of(tensor: str) -> str:
    """The key of a tensor's relevance; two names never have the same.

    Raises
    ------
    OutputError
        The name is longer than a zip file can hold.
    """
    plain = "".join(map(_plain, tensor))
    key = f"{ONE}/" + TAKEN.sub(lambda found: "%2E" * len(found[0]), plain)
    if len(key.encode()) > LONGEST:
        raise OutputError(
            f"an .npz cannot hold the tensor {tensor[:40]!r}...: its name has {len(tensor)} letters; leave "
            "it out of keep, or take explanation.relevances"
        )
    return key


def _plain(letter: str) -> str:
    """A letter as it is, or percent-encoded: a control character, and what zip files and `unquote` read."""
    return (
        letter if letter.isprintable() and letter not in "%\\" else quote(letter, "", errors="surrogatepass")
    )
