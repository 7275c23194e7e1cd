"""Models of tables as skl2onnx and ML.NET write them: linear ones, perceptrons, what stands before."""

from __future__ import annotations

import numpy as np
from forms import Form

HEAD = '<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>'
PERCEPTRON = """c = Cast <to = 1> (i) d0 = MatMul (c, w0) a0 = Add (d0, b0) r0 = Relu (a0)
        d1 = MatMul (r0, w1) z = Add (d1, b1)"""
WEIGHTS = {"w0": (4, 8), "b0": (1, 8), "w1": (8, 3), "b1": (1, 3)}
LABEL = """best = ArgMax <axis = 1> (probabilities) l0 = ai.onnx.ml.ArrayFeatureExtractor (classes, best)
        l1 = Reshape (l0, flat) label = Cast <to = 7> (l1)"""
CLASSES = {"classes": np.array([0, 1, 2]), "flat": [-1]}
THREE = "(int64[N] label, float[N,3] probabilities)"
LINEAR = """coefficients = [0.5, -1.2, 0.7, 0.1, -0.3, 0.9, 0.2, -0.8, 1.1, 0.4, -0.6, 0.3],
            intercepts = [0.1, -0.2, 0.3]"""
SCALED = "ai.onnx.ml.Scaler <offset = [0.1, -0.2, 0.3, 0.0], scale = [1.0, 2.0, 0.5, 1.5]>"


def sklearn(name, text, shapes=None, given=None, refused="") -> Form:
    """A model of four numbers."""
    return Form(
        "scikit-learn", name, f"{HEAD} {text}", shapes or {}, given or {}, {"x": (2, 4)}, refused=refused
    )


FORMS = [
    sklearn(
        "LogisticRegression behind a StandardScaler",
        f"""g (float[N,4] x) => {THREE} {{
        i = {SCALED} (x)
        label, p = ai.onnx.ml.LinearClassifier <{LINEAR}, classlabels_ints = [0, 1, 2],
            multi_class = 1, post_transform = "SOFTMAX"> (i)
        probabilities = ai.onnx.ml.Normalizer <norm = "L1"> (p)
    }}""",
    ),
    sklearn(
        "LogisticRegression, two classes",
        """g (float[N,4] x) => (int64[N] label, float[N,2] probabilities) {
        label, probabilities = ai.onnx.ml.LinearClassifier <
            coefficients = [-0.5, 1.2, -0.7, 0.1, 0.5, -1.2, 0.7, -0.1], intercepts = [-0.4, 0.4],
            classlabels_ints = [0, 1], multi_class = 0, post_transform = "LOGISTIC"> (x)
    }""",
    ),
    sklearn(
        "LinearSVC",
        f"""g (float[N,4] x) => {THREE} {{
        label, probabilities = ai.onnx.ml.LinearClassifier <{LINEAR}, classlabels_ints = [0, 1, 2],
            multi_class = 0, post_transform = "NONE"> (x)
    }}""",
    ),
    sklearn(
        "LinearRegression",
        """g (float[N,4] x) => (float[N,1] variable) {
        variable = ai.onnx.ml.LinearRegressor <coefficients = [0.5, -1.2, 0.7, 0.1], intercepts = [0.4]> (x)
    }""",
    ),
    sklearn(
        "MLPClassifier of two classes",
        f"""g (float[N,4] x) => (int64[N] label, float[N,2] probabilities) {{
        i = {SCALED} (x) {PERCEPTRON} p = Sigmoid (z) q = Sub (unity, p)
        probabilities = Concat <axis = 1> (q, p) {LABEL}
    }}""",
        {**WEIGHTS, "w1": (8, 1), "b1": (1, 1)},
        {"unity": np.float32([1]), **CLASSES},
    ),
    sklearn(
        "MLPClassifier behind a MinMaxScaler and a PCA",
        f"""g (float[N,4] x) => {THREE} {{
        m0 = Mul (x, s0) m1 = Add (m0, b2) u = Sub (m1, b3) i = MatMul (u, w2) {PERCEPTRON}
        probabilities = Softmax <axis = 1> (z) {LABEL}
    }}""",
        {**WEIGHTS, "s0": (4,), "b2": (4,), "b3": (4,), "w2": (4, 3), "w0": (3, 8)},
        CLASSES,
    ),
    sklearn(
        "MLPClassifier behind a Normalizer",
        f"""g (float[N,4] x) => {THREE} {{
        i = ai.onnx.ml.Normalizer <norm = "L2"> (x) {PERCEPTRON}
        probabilities = Softmax <axis = 1> (z) {LABEL}
    }}""",
        WEIGHTS,
        CLASSES,
    ),
    sklearn(
        "MLPClassifier behind an Imputer and chosen columns",
        f"""g (float[N,4] x) => {THREE} {{
        a = ai.onnx.ml.Imputer <imputed_value_floats = [1.0, 2.0, 3.0, 4.0], replaced_value_float = 0.0> (x)
        e = ai.onnx.ml.ArrayFeatureExtractor (a, some) f = ai.onnx.ml.ArrayFeatureExtractor (a, others)
        g = ai.onnx.ml.Scaler <offset = [0.1, -0.2], scale = [1.0, 2.0]> (e)
        i = Concat <axis = 1> (g, f) {PERCEPTRON} probabilities = Softmax <axis = 1> (z) {LABEL}
    }}""",
        WEIGHTS,
        {"some": np.array([[0, 3]]), "others": np.array([[2, 1]]), **CLASSES},
    ),
    sklearn(
        "MLPRegressor",
        f"""g (float[N,4] x) => (float[N,1] variable) {{
        i = {SCALED} (x) {PERCEPTRON} variable = Reshape (z, column)
    }}""",
        {**WEIGHTS, "w1": (8, 1), "b1": (1, 1)},
        {"column": [-1, 1]},
    ),
    sklearn(
        "SVC",
        """g (float[N,4] x) => (int64[N] label, float[N,2] probabilities) {
        label, probabilities = ai.onnx.ml.SVMClassifier <
            classlabels_ints = [0, 1], coefficients = [0.5, -0.5],
            kernel_params = [0.5, 0.0, 3.0], kernel_type = "RBF", post_transform = "NONE", rho = [0.1],
            support_vectors = [0.1, 0.2, 0.3, 0.4, -0.5, 0.5, -0.5, 0.5], vectors_per_class = [1, 1]> (x)
    }""",
        refused="SVMClassifier",
    ),
    sklearn(
        "RandomForestRegressor",
        """g (float[N,4] x) => (float[N,1] variable) {
        variable = ai.onnx.ml.TreeEnsembleRegressor <n_targets = 1, nodes_falsenodeids = [2, 0, 0],
            nodes_featureids = [1, 0, 0], nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_nodeids = [0, 1, 2], nodes_treeids = [0, 0, 0], nodes_truenodeids = [1, 0, 0],
            nodes_values = [0.1, 0.0, 0.0], target_ids = [0, 0], target_nodeids = [1, 2],
            target_treeids = [0, 0], target_weights = [1.5, -0.5]> (x)
    }""",
        refused="TreeEnsembleRegressor",
    ),
    # ML.NET: each column an input of its own, a mean and a deviation as Sub and Mul, the answer as a label,
    # a score and a probability.
    Form(
        "ML.NET",
        "binary logistic regression",
        """<ir_version: 6, opset_import: ["": 11, "ai.onnx.ml": 2]>
    g (float[N,1] age, float[N,1] height, float[N,1] weight) =>
        (bool[N,1] PredictedLabel, float[N,1] Score, float[N,1] Probability) {
        features = ai.onnx.ml.FeatureVectorizer <inputdimensions = [1, 1, 1]> (age, height, weight)
        u = Sub (features, b0) n = Mul (u, s0)
        Score = ai.onnx.ml.LinearRegressor <coefficients = [0.5, -1.2, 0.7], intercepts = [0.3],
            post_transform = "NONE", targets = 1> (n)
        Probability = Sigmoid (Score)
        l = ai.onnx.ml.Binarizer <threshold = 0.5> (Probability) PredictedLabel = Cast <to = 9> (l)
    }""",
        {"b0": (1, 3), "s0": (1, 3)},
        {},
        {"age": (2, 1), "height": (2, 1), "weight": (2, 1)},
    ),
]
