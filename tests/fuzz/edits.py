"""Changes to the structure of a model, by name; each may find nothing to change."""

from __future__ import annotations

import edit_files
import edit_nodes
import edit_values
import onnx
from editing import EDITS, Nothing

__all__ = ["EDITS", "GENTLE", "Nothing", "bypass", "edit_files", "edit_nodes", "edit_values"]

# After these a model mostly still runs: what is wrong without a word is found among them.
GENTLE = [name for name in EDITS if name.startswith(("insert_", "constant_"))]
WORDS = """
shuffle_nodes reverse_nodes near_number known_attribute other_operator a_function double_constant
double_node read_another inner_output stale_shapes output_shape fixed_batch rename_tensor
equal_node_names opset input_shape swap_inputs drop_attribute
"""
GENTLE += WORDS.split()


def bypass(model: onnx.ModelProto, place: int) -> None:
    """Take a node out, its readers reading its first input: how a fault is made smaller."""
    node = model.graph.node[place]
    for reader in model.graph.node:
        for at, name in enumerate(reader.input):
            if name in node.output:
                reader.input[at] = node.input[0]
    del model.graph.node[place]
