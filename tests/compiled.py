"""Every method that has a place in a file, and the way to run the file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from building import rng

# Two runs of float32, fused differently.
CLOSE = 1e-4
ASKED = {
    "gradient": {},
    "libragrad": {},
    "input_x_gradient": {},
    "guided_backprop": {},
    "deconvnet": {},
    "excitation_backprop": {},
    "beta_smooth": {},
    "integrated_gradients": {"n_steps": 4, "baseline": (0.1, -0.2, 0.3)},
    "gradient_shap": {"n_samples": 3, "stdev": 0.1, "baselines": rng(4).standard_normal((2, 3, 12, 12))},
    "smoothgrad": {"n_samples": 3},
    "smoothgrad_sq": {"n_samples": 3, "stdev": 0.2},
    "vargrad": {"n_samples": 3},
    "deeplift": {"baseline": rng(5).standard_normal((3, 12, 12))},
    "grad_cam": {"tensor": "r2"},
    "fullgrad": {},
    "fullgrad_plus": {},
    "grad_cam_plus_plus": {"upsampling": "nearest", "tensor": "r2"},
    "lrp under noise": {"method": "lrp", "noise": "smoothgrad", "n_samples": 3, "eps": 1e-2},
    "input_x_gradient under noise": {"method": "input_x_gradient", "noise": "smoothgrad_sq", "n_samples": 3},
}
every_method = pytest.mark.parametrize("method", ASKED)


def options(method: str) -> dict:
    return {"method": method, **ASKED[method]}


def run(model: onnx.ModelProto, x, **indices) -> dict[str, np.ndarray]:
    """As any user of onnxruntime would run it."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    feeds = x if isinstance(x, dict) else {session.get_inputs()[0].name: x}
    given = {name: np.array(value, dtype=np.int64) for name, value in indices.items()}
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {**feeds, **given}), strict=True))
