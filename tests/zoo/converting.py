"""Small models of other frameworks by their own converters: python converting.py FRAMEWORK FOLDER.

Every model becomes FOLDER/NAME.onnx, with inputs in FOLDER/NAME.npz. It imports nothing of this project, so
that it runs where a framework is: see test_converters.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Written = tuple[str, bytes, list[np.ndarray]]
RANDOM = np.random.default_rng(0)
# What each needs, and what its models are called.
NEEDS = {
    "scikit-learn": ("sklearn", "skl2onnx"),
    "Keras": ("keras", "tensorflow", "tf2onnx"),
    "JAX": ("jax2onnx", "flax", "equinox"),
    "PaddlePaddle": ("paddle", "paddle2onnx"),
}
NAMES = {
    "scikit-learn": (
        *("MLPClassifier", "MLPClassifier, two classes", "MLPRegressor", "LogisticRegression"),
        *("PCA, MLPClassifier", "Normalizer, MLPClassifier", "columns, MLPClassifier", "Ridge", "a vote"),
        *("RidgeClassifier", "RandomForestClassifier"),
    ),
    "Keras": ("CNN", "gate", "LSTM", "both directions", "attention", "norms", "two inputs", "words", "GRU"),
    "JAX": ("Flax MLP", "Flax transformer", "Flax norms", "Equinox CNN", "Equinox attention"),
    "PaddlePaddle": ("gate", "transformer", "LSTM", "GRU of both directions", "words"),
}
# What is refused, and a part of the reason.
REFUSED = {
    ("scikit-learn", "RandomForestClassifier"): "no slope",
    ("Keras", "GRU"): "Loop",
}


def real(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def drawn(value: np.ndarray) -> np.ndarray | None:
    """Another value of what starts all alike, which would hide what is lost there."""
    if value.dtype.kind != "f" or value.size < 2 or (value != value.flat[0]).any():
        return None
    made = RANDOM.normal(0, 0.2, value.shape) if value.flat[0] == 0 else RANDOM.uniform(0.5, 1.5, value.shape)
    return made.astype(value.dtype)


def of_sklearn(folder: Path) -> Iterator[Written]:
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

    x = real(150, 4)
    y = (x @ real(4, 3)).argmax(1)

    def perceptron(*before: Any) -> Any:
        return make_pipeline(*before, MLPClassifier((8, 6), max_iter=200, random_state=0))

    columns = ColumnTransformer([("some", StandardScaler(), [0, 3]), ("others", MinMaxScaler(), [2, 1])])
    vote = VotingClassifier(
        [("a", LogisticRegression()), ("b", perceptron())], voting="soft", flatten_transform=False
    )
    made = {
        "MLPClassifier": (perceptron(StandardScaler()), y),
        "MLPClassifier, two classes": (perceptron(StandardScaler()), y == 1),
        "MLPRegressor": (make_pipeline(StandardScaler(), MLPRegressor(random_state=0)), x.sum(1)),
        "LogisticRegression": (make_pipeline(StandardScaler(), LogisticRegression()), y),
        "RidgeClassifier": (make_pipeline(MinMaxScaler(), RidgeClassifier()), y),
        "PCA, MLPClassifier": (perceptron(StandardScaler(), PCA(3, whiten=True)), y),
        "Normalizer, MLPClassifier": (perceptron(Normalizer()), y),
        "columns, MLPClassifier": (perceptron(columns), y),
        "Ridge": (Ridge(), x.sum(1)),
        "a vote": (vote, y),
        "RandomForestClassifier": (RandomForestClassifier(10, random_state=0), y),
    }
    for name, (model, wanted) in made.items():
        model.fit(x, wanted.astype(int) if wanted.dtype == bool else wanted)
        options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
        file = to_onnx(model, x[:1], options=options)
        yield name, file.SerializeToString(), [x[:2]]


def of_keras(folder: Path) -> Iterator[Written]:
    from keras import Input, Model, Sequential
    from keras import layers as L

    picture, steps, words = Input((16, 16, 3)), Input((6, 8)), Input((6,), dtype="int32")
    h = L.Conv2D(8, 3, padding="same", activation="hard_swish")(picture)
    s = L.Conv2D(4, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(h))
    gate = L.Multiply()([h, L.Conv2D(8, 1, activation="hard_sigmoid")(s)])
    deep = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(gate)
    summed = L.Add()([gate, L.Conv2D(8, 1)(deep)])
    a = L.LayerNormalization()(L.Add()([steps, L.MultiHeadAttention(2, 4)(steps, steps)]))
    a = L.LayerNormalization()(L.Add()([a, L.Dense(8)(L.Dense(16, activation="silu")(a))]))
    table = Input((4,))
    both = L.Concatenate()([L.Flatten()(L.Conv2D(4, 3)(picture)), L.Dense(4, activation="tanh")(table)])
    read = L.LSTM(6)(L.Embedding(20, 8)(words))

    def end(x: Any) -> Any:
        return L.Dense(3, activation="softmax")(x)

    made = {
        "CNN": Sequential(
            [
                *(picture, L.Conv2D(8, 3, padding="same", strides=2), L.BatchNormalization(), L.ReLU()),
                *(L.SeparableConv2D(12, 3, padding="same"), L.BatchNormalization()),
                *(L.Activation("swish"), L.MaxPooling2D(), L.GlobalAveragePooling2D()),
                *(L.Dropout(0.2), L.Dense(5, activation="softmax")),
            ]
        ),
        "gate": Model(picture, end(L.Flatten()(L.LayerNormalization()(summed)))),
        "LSTM": Model(steps, end(L.LSTM(6)(steps))),
        "both directions": Model(steps, end(L.Bidirectional(L.LSTM(6))(steps))),
        "attention": Model(steps, end(L.GlobalAveragePooling1D()(a))),
        "norms": Sequential(
            [
                *(picture, L.Conv2D(8, 3), L.GroupNormalization(4), L.ReLU(), L.Conv2D(8, 3)),
                *(L.UnitNormalization(), L.Flatten(), L.Dense(3)),
            ]
        ),
        "two inputs": Model([picture, table], L.Dense(3)(both)),
        "words": Model(words, end(read)),
        "GRU": Model(steps, end(L.GRU(6)(steps))),
    }
    inputs = {
        "two inputs": [real(2, 16, 16, 3), real(2, 4)],
        "words": [RANDOM.integers(1, 20, (2, 6)).astype(np.int32)],
    }
    for name, model in made.items():
        for variable in model.variables:
            if (value := drawn(np.asarray(variable))) is not None:
                variable.assign(value)
        given = inputs[name] if name in inputs else [real(2, *model.input_shape[1:])]
        model(given if len(given) > 1 else given[0])
        path = folder / "keras.onnx"
        model.export(path, format="onnx", verbose=False)
        yield name, path.read_bytes(), given
        path.unlink()


def of_jax(folder: Path) -> Iterator[Written]:
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import onnx
    from flax import nnx
    from jax2onnx import to_onnx

    class MLP(nnx.Module):
        def __init__(self, r: Any) -> None:
            self.a, self.b = nnx.Linear(8, 16, rngs=r), nnx.Linear(16, 3, rngs=r)
            self.n = nnx.BatchNorm(16, rngs=r, use_running_average=True)

        def __call__(self, x: Any) -> Any:
            return self.b(nnx.gelu(self.n(self.a(x))))

    class Transformer(nnx.Module):
        def __init__(self, r: Any) -> None:
            self.a = nnx.MultiHeadAttention(2, 8, qkv_features=8, rngs=r, decode=False)
            self.n, self.q = nnx.LayerNorm(8, rngs=r), nnx.RMSNorm(8, rngs=r)
            self.m, self.k = nnx.Linear(8, 16, rngs=r), nnx.Linear(16, 8, rngs=r)
            self.o = nnx.Linear(8, 3, rngs=r)

        def __call__(self, x: Any) -> Any:
            x = x + self.a(self.n(x))
            return self.o((x + self.k(nnx.gelu(self.m(self.q(x)))))[:, 0])

    class Norms(nnx.Module):
        def __init__(self, r: Any) -> None:
            self.c = nnx.Conv(3, 8, (3, 3), strides=2, rngs=r)
            self.g = nnx.GroupNorm(8, num_groups=4, rngs=r)
            self.t = nnx.ConvTranspose(8, 6, (2, 2), strides=(2, 2), rngs=r)
            self.o = nnx.Linear(6, 4, rngs=r)

        def __call__(self, x: Any) -> Any:
            return self.o(nnx.hard_swish(self.t(nnx.leaky_relu(self.g(self.c(x))))).mean((1, 2)))

    class CNN(eqx.Module):
        c: Any
        p: Any
        n: Any
        o: Any

        def __init__(self, key: Any) -> None:
            a, b = jax.random.split(key)
            self.c, self.p = eqx.nn.Conv2d(3, 8, 3, key=a), eqx.nn.MaxPool2d(2, 2)
            self.n, self.o = eqx.nn.GroupNorm(2, 8), eqx.nn.Linear(392, 4, key=b)

        def __call__(self, x: Any) -> Any:
            return jax.nn.softmax(self.o(jax.nn.silu(self.n(self.p(self.c(x)))).reshape(-1)))

    class Attention(eqx.Module):
        a: Any
        n: Any
        o: Any

        def __init__(self, key: Any) -> None:
            one, other = jax.random.split(key)
            self.a, self.n = eqx.nn.MultiheadAttention(2, 8, key=one), eqx.nn.LayerNorm(8)
            self.o = eqx.nn.Linear(8, 3, key=other)

        def __call__(self, x: Any) -> Any:
            y = jax.vmap(self.n)(x)
            return self.o((x + self.a(y, y, y)).mean(0))

    def shaken(model: Any) -> Any:
        def one(leaf: Any) -> Any:
            value = drawn(np.asarray(leaf))
            return leaf if value is None else jnp.asarray(value)

        nnx.update(model, jax.tree.map(one, nnx.state(model)))
        model.eval()
        return model

    key, r = jax.random.key(0), nnx.Rngs(0)
    made: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
        "Flax MLP": (shaken(MLP(r)), real(2, 8)),
        "Flax transformer": (shaken(Transformer(r)), real(2, 6, 8)),
        "Flax norms": (shaken(Norms(r)), real(2, 16, 16, 3)),
        "Equinox CNN": (jax.vmap(CNN(key)), real(2, 3, 16, 16)),
        "Equinox attention": (jax.vmap(Attention(key)), real(2, 6, 8)),
    }
    for name, (function, x) in made.items():
        file = to_onnx(function, [x.shape if name.startswith("Equinox") else ("B", *x.shape[1:])])
        assert isinstance(file, onnx.ModelProto)
        yield name, file.SerializeToString(), [x]


def of_paddle(folder: Path) -> Iterator[Written]:
    import paddle
    from paddle import nn
    from paddle.nn import functional as F

    class Gate(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Conv2D(3, 8, 3, stride=2, padding=1, bias_attr=False)
            self.b, self.d = nn.BatchNorm2D(8), nn.Conv2D(8, 8, 3, padding=1, groups=8)
            self.g, self.e, self.f = nn.AdaptiveAvgPool2D(1), nn.Conv2D(8, 4, 1), nn.Conv2D(4, 8, 1)
            self.o = nn.Linear(8, 5)

        def forward(self, x):
            x = F.hardswish(self.b(self.c(x)))
            y = F.swish(self.d(x))
            x = x + y * F.hardsigmoid(self.f(F.relu(self.e(self.g(y)))))
            return F.softmax(self.o(paddle.flatten(self.g(x), 1)))

    class Transformer(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.e = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), 2)
            self.o = nn.Linear(8, 3)

        def forward(self, x):
            return self.o(self.e(x)[:, 0])

    class Recurrent(nn.Layer):
        def __init__(self, cell, direction) -> None:
            super().__init__()
            self.r = cell(5, 6, direction=direction)
            self.o = nn.Linear(6 if direction == "forward" else 12, 3)

        def forward(self, x):
            return self.o(self.r(x)[0][:, -1])

    class Words(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.t = nn.Embedding(20, 8), Transformer()

        def forward(self, x):
            return self.t(self.e(x))

    paddle.seed(0)
    made = {
        "gate": (Gate(), real(2, 3, 32, 32)),
        "transformer": (Transformer(), real(2, 6, 8)),
        "LSTM": (Recurrent(nn.LSTM, "forward"), real(2, 6, 5)),
        "GRU of both directions": (Recurrent(nn.GRU, "bidirect"), real(2, 6, 5)),
        "words": (Words(), RANDOM.integers(0, 20, (2, 6))),
    }
    for name, (model, x) in made.items():
        for parameter in (*model.parameters(), *model.buffers()):
            if (value := drawn(parameter.numpy())) is not None:
                parameter.set_value(value)
        model.eval()
        spec = [paddle.static.InputSpec([None, *x.shape[1:]], str(x.dtype), "x")]
        path = folder / "paddle.onnx"
        # Not its other optimiser, which installs what it lacks when it runs.
        paddle.onnx.export(
            model, str(path.with_suffix("")), spec, opset_version=17, optimize_tool="onnxoptimizer"
        )
        yield name, path.read_bytes(), [x]
        path.unlink()


CONVERTERS = {
    "scikit-learn": of_sklearn,
    "Keras": of_keras,
    "JAX": of_jax,
    "PaddlePaddle": of_paddle,
}


def main(framework: str, folder: Path) -> None:
    """Write the models of a framework."""
    for name, data, inputs in CONVERTERS[framework](folder):
        (folder / f"{name}.onnx").write_bytes(data)
        np.savez(folder / f"{name}.npz", *inputs)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
