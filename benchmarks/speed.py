"""Time and memory of LRP and Integrated Gradients beside their peers, in one run, in forward passes.

    python benchmarks/speed.py                       # everything: about twenty minutes on two cores
    python benchmarks/speed.py --nets resnet50 --batches 1 --runs 20

Every method runs in a process of its own, so that its peak memory is its own; the networks are
torchvision's with seeded weights, exported with BatchNormalization kept. Needs the `test` extra, and a
system that counts a process's memory (not Windows).
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from methods import METHODS, STEPS
from PIL import Image

HERE = Path(__file__).resolve().parent
# Seconds after which no further run is begun: twenty of Integrated Gradients on VGG-16 take an hour.
PATIENCE = 30.0


def measure(method: str, folder: Path, net: str, batch: int, runs: int) -> dict[str, Any]:
    """In this process: median and spread of the call's time in seconds, and the peak memory in MB."""
    x = np.random.default_rng(0).standard_normal((batch, 3, 224, 224)).astype(np.float32)
    return clocked(lambda: (METHODS | STEPS)[method](folder, net, x), runs)


def clocked(prepared: Callable[[], Callable[[], Any]], runs: int) -> dict[str, Any]:
    """The same of any call, which is prepared first."""
    try:
        call = prepared()
        begun = time.perf_counter()
        call()  # what is done once only is not what is asked for
        times: list[float] = []
        while len(times) < runs and (not times or time.perf_counter() - begun < PATIENCE):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    except Exception as error:  # a peer that cannot is a result too
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:60]}
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    low, median, high = np.percentile(times, [10, 50, 90])
    return {"median": median, "low": low, "high": high, "peak": peak, "runs": len(times)}


def child(*arguments: str, script: str = __file__) -> dict[str, Any]:
    """One job in a process of its own: what this one imports would count as the child's memory."""
    command = [sys.executable, "-W", "ignore", script, "--child", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:60] if done.stderr else "killed"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def export(folder: Path, net: str) -> dict[str, Any]:
    """In this process: the network with seeded weights, as an ONNX file and as a state dict."""
    import torch

    import exporter

    made = exporter.build(net, weights="none", seed=0)
    torch.save(made.model.state_dict(), folder / f"{net}.pth")
    exporter.export(
        made.model,
        folder / f"{net}.onnx",
        example=(1, 3, 224, 224),
        preprocess=made.preprocess,
        labels=made.labels,
    )
    return {}


def table(folder: Path, net: str, batch: int, runs: int, methods: Iterable[str] = METHODS) -> None:
    """Print one network at one batch size."""
    print(f"\n{net}, batch {batch}: median of up to {runs} runs (10th to 90th percentile)", flush=True)
    print(f"{'':28} {'ms':>8} {'':17} {'forwards':>9} {'peak MB':>8} {'runs':>5}")
    unit = None
    for method in methods:
        result = child(method, str(folder), net, str(batch), str(runs))
        if "error" in result:
            print(f"{method:28} {result['error']}", flush=True)
            continue
        unit = unit or result["median"]
        low, median, high = (1000 * result[key] for key in ("low", "median", "high"))
        spread = f"({low:.0f} to {high:.0f})"
        forwards = result["median"] / unit
        print(
            f"{method:28} {median:8.0f} {spread:17} {forwards:9.1f} {result['peak']:8.0f} {result['runs']:5}",
            flush=True,
        )


def cold_start(folder: Path, runs: int = 5) -> None:
    """Print the whole command's time on ResNet-18, from start to the written picture."""
    photo = folder / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)).save(photo)
    command = Path(sys.executable).with_name("onnx-lrp")
    model, picture = str(folder / "resnet18.onnx"), str(folder / "picture.png")
    commands = {
        "onnx-lrp explain": [str(command), "explain", model, str(photo), "-o", picture],
        "torch and zennit": [
            sys.executable,
            str(HERE / "cold_zennit.py"),
            str(folder),
            "resnet18",
            str(photo),
            picture,
        ],
    }
    print(f"\ncold start on resnet18: whole command, median of {runs} runs", flush=True)
    for name, arguments in commands.items():
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            subprocess.run(arguments, check=True, capture_output=True, cwd=HERE)
            times.append(time.perf_counter() - begin)
        print(f"{name:28} {np.median(times):8.2f} s ({min(times):.2f} to {max(times):.2f})", flush=True)


def main() -> None:
    """The command."""
    if sys.argv[1:2] == ["--child"]:
        method, place, net, *numbers = sys.argv[2:]
        job = export if method == "export" else functools.partial(measure, method)
        print(json.dumps(job(Path(place), net, *map(int, numbers))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default="resnet18,resnet50,vgg16")
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nets = options.nets.split(",")
        for net in dict.fromkeys(["resnet18", *nets]):
            if "error" in (done := child("export", name, net)):
                sys.exit(f"{net} cannot be exported: {done['error']}")
        cold_start(folder)
        for net in nets:
            for batch in map(int, options.batches.split(",")):
                table(folder, net, batch, options.runs)
        table(folder, "resnet18", 1, 5, ["onnxruntime forward", *STEPS])


if __name__ == "__main__":
    main()
