"""A model and files whose every name would do something to a terminal, a log or a reader's eye."""

import json

import onnx
from command_line import TINY, tiny

# Colours, the window's title, the clipboard; forged lines; text turned round, unseen, half a character.
EVIL = (
    "\x1b[2J\x1b]0;title\x07\x1b]52;c;cm0=\x07\nFORGED 1.0\rFORGED\x85FORGED\x9b31m\x00\x08\x7f"
    "\u202eesrever\u2066\u200b\u200d\ufeff\u2028FORGED\u2029FORGED\v\f\x1c<script>alert(1)</script>"
)
HALF = "\ud800"  # in JSON alone: protocol buffers hold none
HUGE = EVIL + "x" * 300_000


def hostile(evil: str = EVIL, labels: bool = True, **replaced: str) -> onnx.ModelProto:
    """A small classifier with `evil` in all its names; operators are renamed as `replaced` has it."""
    model = tiny(TINY.replace("image", "x").replace("probability", "y"))
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name += evil
    for node in graph.node:
        node.input[:] = [name + evil for name in node.input]
        node.output[:] = [name + evil for name in node.output]
        node.name, node.doc_string = f"{node.op_type}{evil}", evil
        if node.op_type in replaced:
            node.op_type, node.domain = f"{replaced[node.op_type]}{evil}", f"maker{evil}"
            model.opset_import.add(domain=node.domain, version=1)
    graph.name = graph.doc_string = model.producer_name = model.doc_string = evil
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = evil
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = evil
    facts = {evil: evil, "onnx_lrp": evil}
    if labels:
        facts["id2label"] = json.dumps({index: f"{index}{evil}{HALF}" for index in range(4)})
    for key, text in facts.items():
        model.metadata_props.add(key=key, value=text)
    return model


def wrong_with(text: str, longest: int = 40_000) -> str:
    """What is wrong with a text that is shown; "" where nothing is."""
    raw = {letter for letter in text if not (letter.isprintable() or letter in "\n\xa0\u3000")}
    if raw:
        return f"raw characters {sorted(map(hex, map(ord, raw)))}"
    if any(line.strip(" '\"|").startswith("FORGED") for line in text.split("\n")):
        return "a forged line"
    if len(text) > longest:
        return f"{len(text)} letters"
    return ""
