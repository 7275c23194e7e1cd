"""A formula over primitives recorded on symbols, as a model that onnxruntime runs."""

import numpy as np
from building import parse, relative, run
from onnx import helper, numpy_helper

from explainer.tensor import Recorder, Symbol


def recorded(values, body):
    """`body` on symbols for the float arrays among `values`, built into a model and run."""
    recorder = Recorder("lrp")
    symbols, feeds = [], {}
    for index, value in enumerate(values):
        if isinstance(value, np.ndarray) and value.dtype != np.int64:
            feeds[f"x{index}"] = value
            symbols.append(Symbol(recorder, f"x{index}", value))
        else:
            symbols.append(value)
    outputs = body(*symbols)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    model = parse("g () => () {}")
    for operator, inputs, names, attributes in recorder.nodes:
        plain = {
            k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v for k, v in attributes.items()
        }
        model.graph.node.append(helper.make_node(operator, inputs, names, **plain))
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in recorder.constants.items())
    for place, declared in ((model.graph.input, feeds.items()), (model.graph.output, ())):
        for name, value in declared:
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            place.append(helper.make_tensor_value_info(name, kind, value.shape))
    model.graph.output.extend(helper.make_empty_tensor_value_info(output.name) for output in outputs)
    return recorder, outputs, run(model, feeds)


def check(values, body, nodes=1, tolerance=2e-6):
    """Eager, example and onnxruntime agree; `nodes` were recorded."""
    eager = body(*values)
    eager = eager if isinstance(eager, tuple) else (eager,)
    recorder, outputs, theirs = recorded(values, body)
    assert nodes is None or len(recorder.nodes) == nodes
    assert len(eager) == len(outputs) == len(theirs)
    for ours, symbol, their in zip(eager, outputs, theirs, strict=True):
        assert ours.dtype == symbol.dtype == their.dtype
        np.testing.assert_array_equal(ours, symbol.value)
        if their.dtype.kind == "f":
            assert relative(ours, their) < tolerance
        else:
            np.testing.assert_array_equal(ours, their)
