"""Models drawn at random, of functions in functions and branches in both: what is run in their place."""

import random

import numpy as np
import onnx
import onnxruntime
import pytest
from building import rng
from onnx import TensorProto, helper, numpy_helper

from explainer.model.graph import Graph

IMPORTS = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
X = rng(0).standard_normal((2, 3)).astype(np.float32)


class Drawn:
    """Nodes of one model; tensors' names are few, so that bodies and branches share them with the graph."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.functions = []
        for level in range(self.draw.randint(1, 4)):
            nodes, last = self.nodes(["x", "z"], ["c"], 2, f"f{level}")
            held = helper.make_tensor("v", TensorProto.BOOL, [], [self.draw.random() < 0.5])
            nodes.insert(0, helper.make_node("Constant", [], ["c"], value=held))
            slope = [helper.make_attribute("slope", 0.1)]
            parts = ("own", f"F{level}", ["x", "z"], [last], nodes, IMPORTS, [], slope)
            self.functions.append(helper.make_function(*parts))

    def nodes(self, names, conditions, depth, where):
        names, made = list(names), []
        for place in range(self.draw.randint(1, 4)):
            out = self.draw.choice(["h", "k", "t", "a/h"]) + str(self.draw.randint(0, 2))
            while out in names:
                out += "x"
            made.append(self.node(names, conditions, depth, f"{where}n{place}", out))
            names.append(out)
        return made, names[-1]

    def node(self, names, conditions, depth, name, out):
        one, other, kind = self.draw.choice(names), self.draw.choice(names), self.draw.random()
        name = self.draw.choice(["", name])
        if kind < 0.3 and self.functions:
            node = helper.make_node(
                self.draw.choice(self.functions).name, [one, other], [out], name, domain="own"
            )
            if self.draw.random() < 0.5:
                node.attribute.append(helper.make_attribute("slope", 0.3))
            return node
        if kind < 0.5 and depth:
            branches = {}
            for which in ("then_branch", "else_branch"):
                nodes, last = self.nodes(names, conditions, depth - 1, name + which[0])
                held = numpy_helper.from_array(np.float32(self.draw.random()), f"{last}_held")
                nodes.append(helper.make_node("Add", [last, held.name], [f"{last}_sum"]))
                output = helper.make_tensor_value_info(f"{last}_sum", TensorProto.FLOAT, None)
                branches[which] = helper.make_graph(nodes, which, [], [output], [held])
            return helper.make_node("If", [self.draw.choice(conditions)], [out], name, **branches)
        if kind < 0.7:
            return helper.make_node(self.draw.choice(["Add", "Mul", "Sub"]), [one, other], [out], name)
        node = helper.make_node(self.draw.choice(["Relu", "Neg", "Tanh", "LeakyRelu"]), [one], [out], name)
        if node.op_type == "LeakyRelu" and conditions == ["c"]:  # in a function
            node.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=1))
        return node

    def model(self):
        nodes, last = self.nodes(["x"], ["asked", "known"], 2, "g")
        nodes.append(helper.make_node("Identity", [last], ["y"]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            nodes,
            "g",
            [info("x", TensorProto.FLOAT, ["N", 3]), info("asked", TensorProto.BOOL, [])],
            [info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array(self.draw.random() < 0.5), "known")],
        )
        return helper.make_model(graph, opset_imports=IMPORTS, functions=self.functions, ir_version=10)


def answer(data: bytes, **feeds):
    """What onnxruntime computes, its optimiser off: that mixes up names which branches share."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(None, feeds)[0]


@pytest.mark.slow
def test_bodies_and_branches_compute_what_the_file_does():
    compared = 0
    for seed in range(200):
        model = Drawn(seed).model()
        for asked in (True, False):
            try:
                wanted = answer(model.SerializeToString(), x=X, asked=np.array(asked))
                graph, held = Graph.load(model), Graph.load(model, fix={"asked": asked})
            except Exception:  # a branch's name that comes again is none to onnxruntime, in some orders
                continue
            assert not {node.operator for node in held.nodes} & {"If", *(f"own.F{i}" for i in range(4))}
            for found in (
                answer(graph.source.data, x=X, asked=np.array(asked)),
                answer(held.source.data, x=X),
            ):
                np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=str(seed))
                compared += 1
    assert compared > 300
