"""The zoo from the command line: each member in a process of its own, one after another.

python tests/zoo                             # all of it
python tests/zoo swin --exporter dynamo --save swin.onnx
python tests/zoo --answers FOLDER            # keeps what is answered; once more goes on where it was
python tests/zoo --page FOLDER               # writes docs/zoo.md of it
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "layers")]

import page  # noqa: E402
from keeping import keep, kept, place  # noqa: E402
from members import EXPORTERS, members  # noqa: E402
from running import PATIENCE, run  # noqa: E402


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of members, words of these, or of families; all by default")
    parser.add_argument("--exporter", choices=EXPORTERS, action="append")
    parser.add_argument("--answers", type=Path, help="a folder of answers; what is in there is not asked")
    parser.add_argument("--again", action="store_true", help="ask also what is in there as a failure")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for one member")
    parser.add_argument("--plans", action="store_true", help="measure nothing of what is explained")
    parser.add_argument("--save", type=Path, help="write the one member's file there, measure nothing")
    parser.add_argument("--page", type=Path, help="write docs/zoo.md of a folder of answers, measure nothing")
    options = parser.parse_args()
    if options.page:
        page.write(kept(options.page))
        return
    chosen = [
        (family, member)
        for family, member in members()
        if not options.names or {family, member.name, *member.name.split()} & {*options.names}
    ]
    if options.save:
        from making import exported, made

        model, inputs = made(chosen[0][1])
        file = exported(model, inputs, (options.exporter or EXPORTERS)[0])
        options.save.write_bytes(file.SerializeToString())
        return
    asked = [
        (family, member.name, exporter)
        for exporter in options.exporter or EXPORTERS
        for family, member in chosen
        if exporter in member.exporters
    ]
    # Those that have no row yet come first.
    rows = page.read(page.PAGE.read_text(encoding="utf-8"))
    for key in sorted(asked, key=lambda key: key in rows):
        there = options.answers and place(options.answers, key)
        answered = there and there.exists() and json.loads(there.read_text(encoding="utf-8"))
        if answered and not (options.again and "failed" in answered):
            continue
        answer = {"name": key[1], "exporter": key[2], **run(*key, options.plans, options.patience)}
        print(json.dumps([*key, answer])[:500], flush=True)
        if options.answers:
            keep(options.answers, key, answer)


if __name__ == "__main__":
    main()
