"""The one place that imports torchvision: ``from exporter._torchvision import torchvision``.

torchvision's compiled half is built for one build of torch. Next to another one (the package
index's torchvision beside a CPU build of torch) it cannot load; torchvision passes over that in
silence, and then fails on its first line that names an operator of that half: "operator
torchvision::nms does not exist", and after it the same for ``qnms``. Both belong to detection; no
classifier runs them. So they are declared, without any kernel, and only after a plain import has
failed: with a torchvision that fits its torch nothing happens here.
"""

from __future__ import annotations

import torch

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    # Kept in a name for the life of the process: a Library takes its operators along when it is collected.
    _LIBRARY = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for _operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, _operator):
            _schema = f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            _LIBRARY.define(_schema)  # type: ignore[no-untyped-call]
    import torchvision

__all__ = ["torchvision"]
