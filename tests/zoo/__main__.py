"""The zoo from the command line: each member in a process of its own, an answer a line.

python tests/zoo                       # all of it
python tests/zoo swin --exporter dynamo --save swin.onnx
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from members import EXPORTERS, members  # noqa: E402
from running import run  # noqa: E402


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of names of members, or of families; all by default")
    parser.add_argument("--exporter", choices=EXPORTERS, action="append")
    parser.add_argument(
        "--answers", type=Path, help="a file to which every answer is added as a line of JSON"
    )
    parser.add_argument("--plans", action="store_true", help="measure nothing of what is explained")
    parser.add_argument("--save", type=Path, help="write the one member's file there, measure nothing")
    options = parser.parse_args()
    chosen = [
        (family, member)
        for family, member in members()
        if not options.names
        or any(part in (family, *member.name.split()) or part in member.name for part in options.names)
    ]
    if options.save:
        from making import exported, made

        model, inputs = made(chosen[0][1])
        file = exported(model, inputs, (options.exporter or EXPORTERS)[0])
        options.save.write_bytes(file.SerializeToString())
        return
    for family, member in chosen:
        for exporter in options.exporter or member.exporters:
            answer = {
                "family": family,
                "name": member.name,
                "exporter": exporter,
                **run(family, member.name, exporter, options.plans),
            }
            line = json.dumps(answer)
            print(line[:400], flush=True)
            if options.answers:
                with options.answers.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
