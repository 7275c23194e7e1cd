"""What planning costs: of every real model no more than seconds and megabytes beside reading the weights."""

import os
import subprocess
import sys

import pytest

SECONDS, MEGABYTES = 2.0, 500

# In a process of its own: the most memory that this one ever had is no measure.
PLANNING = """
import resource, sys, time
import numpy, onnx, onnxruntime, explainer, explainer.doors.explainer
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
memory, begin = most(), time.process_time()
try:
    str(explainer.Explainer(sys.argv[1]).plan)
except explainer.ExplainerError as error:  # a class is no score, say
    str(error)
print(time.process_time() - begin, most() - memory)
"""


def check(path) -> None:
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", PLANNING, path], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < SECONDS
    assert megabytes < os.path.getsize(path) / 1e6 + MEGABYTES


@pytest.mark.slow
def test_real_models_are_planned_within_bounds(shared):
    models = sorted((shared / "models").glob("*.onnx"))
    assert models
    for path in models:
        check(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "exporter"),
    [("shufflenet_v2_x1_0", "torchscript"), ("shufflenet_v2_x1_0", "dynamo"), ("swin_v2_t", "torchscript")],
)
def test_networks_of_torchvision_are_planned_within_bounds(tmp_path, name, exporter):
    """A Swin has some 3,000 nodes, many of them shapes and tables."""
    exporting = pytest.importorskip("exporter.exporting")
    classifiers = pytest.importorskip("exporter.classifiers")
    exporting.export(
        classifiers.build(name, weights="none").model,
        tmp_path / "net.onnx",
        example=(1, 3, 224, 224),
        exporter=exporter,
    )
    check(tmp_path / "net.onnx")
