"""Grad-CAM and Grad-CAM++: captum's, the papers' equations, and the tensor that is looked at by default."""

import captum.attr
import numpy as np
import pytest
import torch
from building import parse, relative, rng
from captum.attr import LayerAttribution
from perturbed import MODELS
from residual import residual_net
from twins import EXACT, SHAPE, picture, twin, two_feeds, two_inputs

import explainer
from explainer import CompositeError, Explainer, InputError, TargetError
from explainer.tensor.resampling import enlarged

LAST = {"relus": 3, "chain": 5}  # the layer of the chain whose output is the last features


def features(net, name, x, target):
    """A and ∂f/∂A by autograd."""
    points = torch.as_tensor(x).double()
    A = net.module[: LAST[name] + 1](points).detach().requires_grad_()
    (g,) = torch.autograd.grad(net.module[LAST[name] + 1 :](A)[:, target].sum(), A)
    return A.detach().numpy(), g.numpy()


def resized(cam, size, mode):
    how = {"align_corners": False} if mode == "bilinear" else {}
    return torch.nn.functional.interpolate(torch.as_tensor(cam), size, mode=mode, **how).numpy()


@pytest.mark.parametrize("upsampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", LAST)
def test_grad_cam_is_captums(name, signed, upsampling):
    net, x = twin(name), picture(3)
    layer = captum.attr.LayerGradCam(net.module, net.module[LAST[name]])
    theirs = layer.attribute(torch.from_numpy(x).double(), target=2, relu_attributions=not signed)
    if upsampling == "nearest":  # captum's own way to enlarge
        theirs = LayerAttribution.interpolate(theirs, SHAPE[1:], interpolate_mode="nearest")
    else:
        theirs = torch.as_tensor(resized(theirs.detach(), SHAPE[1:], "bilinear"))
    ours = net.explain(x, "grad_cam", 2, signed=signed, upsampling=upsampling)
    assert ours.relevance.shape == (3, 1, *SHAPE[1:])
    assert relative(ours.relevance, theirs.detach().numpy()) < EXACT
    assert (ours.relevance < 0).any() == signed


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", LAST)
def test_grad_cam_plus_plus_is_equation_19(name, signed):
    net, x = twin(name), picture(3)
    A, g = features(net, name, x, 1)
    wanted = np.zeros((3, *A.shape[2:]))
    for n in range(3):
        for c in range(A.shape[1]):
            weight = 0.0
            for i, j in np.ndindex(*A.shape[2:]):
                slope = g[n, c, i, j]
                if slope != 0:
                    alpha = slope**2 / (2 * slope**2 + A[n, c].sum() * slope**3)
                    weight += alpha * max(slope, 0)
            wanted[n] += weight * A[n, c]
    wanted = resized((wanted if signed else np.maximum(wanted, 0))[:, None], SHAPE[1:], "bilinear")
    ours = net.explain(x, "grad_cam_plus_plus", 1, signed=signed)
    assert relative(ours.relevance, wanted) < 1e-6  # the denominator has a stabiliser of 1e-7
    assert relative(ours.relevance, net.explain(x, "grad_cam", 1, signed=signed).relevance) > 0.01


@pytest.mark.parametrize("start", ["probability", "margin"])
def test_other_starts_weigh_by_the_gradient_of_what_they_explain(start):
    net, x = twin("relus"), picture(2)
    A, _ = features(net, "relus", x, 0)
    points = torch.as_tensor(A).requires_grad_()
    z = net.module[LAST["relus"] + 1 :](points)
    explained = torch.softmax(z, 1)[:, 1] if start == "probability" else z[:, 1] - z[:, 3]
    (g,) = torch.autograd.grad(explained.sum(), points)
    cam = (g.numpy().mean((2, 3), keepdims=True) * A).sum(1, keepdims=True)
    against = {"against": 3} if start == "margin" else {}
    ours = net.explain(x, "grad_cam", 1, start=start, signed=True, upsampling="nearest", **against)
    assert relative(ours.relevance, resized(cam, SHAPE[1:], "nearest")) < EXACT


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("old", [(1, 1), (2, 5), (7, 7), (14, 3), (13, 16)])
@pytest.mark.parametrize("new", [(1, 1), (7, 7), (13, 16), (30, 9)])
def test_enlarging_is_torchs(old, new, mode):
    cam = rng(1).standard_normal((2, 1, *old))
    assert relative(enlarged(cam, new, mode), resized(cam, new, mode)) < EXACT


def test_the_tensor_can_be_named():
    net, x = twin("relus"), picture(2)
    names = [node.outputs[0] for node in Explainer(net.model).graph.nodes if node.operator == "Relu"]
    first, last = (net.explain(x, "grad_cam", 1, tensor=name).relevance for name in names)
    np.testing.assert_array_equal(last, net.explain(x, "grad_cam", 1).relevance)
    points = torch.as_tensor(x).double()
    A = net.module[:2](points).detach().requires_grad_()
    (g,) = torch.autograd.grad(net.module[2:](A)[:, 1].sum(), A)
    cam = (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True).clamp(min=0)
    assert relative(first, cam.detach().numpy()) < EXACT  # as large as the input


def looked_at(model, **how):
    (tensor,) = Explainer(model, method="grad_cam", **how).plan.shows
    return tensor


def test_the_last_convolution_with_all_that_goes_with_it_is_the_default():
    assert looked_at(residual_net()) == "r3"  # Conv, Concat with a pool, Relu
    ends = {
        "relu": ("c = Conv (x, w) r = Relu (c) m = GlobalAveragePool (r)", "r"),
        "pool": (
            "c = Conv (x, w) r = Relu (c) p = MaxPool <kernel_shape = [2, 2]> (r) m = GlobalAveragePool (p)",
            "r",
        ),
        "sum": ("a = Conv (x, w) c = Conv (a, v) s = Add (c, a) r = Clip (s) m = GlobalAveragePool (r)", "r"),
        "forked": ("c = Conv (x, w) r = Relu (c) t = Tanh (c) s = Add (r, t) m = GlobalAveragePool (s)", "c"),
        "rows": ("c = Conv (x, w) j = Concat <axis = 2> (c, c) m = GlobalAveragePool (j)", "c"),
        "none behind": ("c = Conv (x, w) m = GlobalAveragePool (c)", "c"),
    }
    for text, tensor in ends.values():
        model = parse(
            f"g (float[N,4,6,6] x) => (float[N,4] y) {{ {text} f = Flatten (m) y = Gemm (f, u) }}",
            w=rng(1).standard_normal((4, 4, 1, 1)),
            v=rng(2).standard_normal((4, 4, 1, 1)),
            u=rng(3).standard_normal((4, 4)),
        )
        assert looked_at(model) == tensor


def test_the_default_of_the_shipped_model():
    ex = Explainer(MODELS / "shapes.onnx", method="grad_cam")
    (tensor,) = ex.plan.shows
    pool = next(node for node in ex.graph.nodes if node.operator == "GlobalAveragePool")
    assert pool.inputs[0] == tensor  # behind the last block's sum and Relu
    found = ex.explain(MODELS / "shapes.png")
    assert found.relevance.shape == (1, 1, 64, 64) and found.relevance.max() > 0


@pytest.mark.parametrize(
    ("file", "operator", "channels", "size"),
    [
        ("squeezenet1.1-fp32-from-fp16", "Relu", 1000, 13),  # its classifier is a convolution
        ("mobilenetv2-torchvision-fp32-dequant", "Clip", 1280, 7),
        ("resnet20-cifar10", "Relu", 64, 8),
    ],
)
def test_the_default_of_models_of_others(file, operator, channels, size, shared):
    path = shared / "models" / f"{file}.onnx"
    ex = Explainer(path, method="grad_cam")
    (tensor,) = ex.plan.shows
    assert ex.graph.producers[tensor].operator == operator
    value = next(v for v in ex.graph.inputs)
    shape = tuple(size or 1 for size in value.shape)
    A = ex.graph.session([tensor]).run({value.name: np.zeros(shape, value.dtype)})[tensor]
    assert A.shape[1:] == (channels, size, size)


def test_channels_last():
    text = """g (float[N,6,8,2] x) => (float[N,3] y) {{
        t = Transpose <perm = [0, 3, 1, 2]> (x) c = Conv <strides = [2, 2]> (t, w) r = Relu (c)
        m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }}"""
    weights = {"w": rng(1).standard_normal((4, 2, 2, 2)), "u": rng(2).standard_normal((4, 3))}
    model = parse(text.format(), **weights)
    x = rng(3).standard_normal((2, 6, 8, 2)).astype(np.float32)
    last = Explainer(model, method="grad_cam", preprocess=explainer.Preprocess(size=(6, 8), layout="NHWC"))
    first = parse(
        text.format().replace("float[N,6,8,2]", "float[N,2,6,8]").replace("[0, 3, 1, 2]", "[0, 1, 2, 3]"),
        **weights,
    )
    wanted = Explainer(first, method="grad_cam").explain(np.moveaxis(x, -1, 1).copy(), 1).relevance
    found = last.explain(x, 1).relevance
    assert found.shape == (2, 6, 8, 1)
    np.testing.assert_allclose(found[..., 0], wanted[:, 0], rtol=1e-6)


def test_of_several_inputs_those_with_places_get_the_map():
    found = two_inputs().explain(two_feeds(), "grad_cam", 1)
    assert set(found.relevance) == {"image"}
    assert found.relevance["image"].shape == (3, 1, 4, 4)


def test_what_has_no_map():
    dense = parse("g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) y = Relu (h) }", w=np.ones((3, 2)))
    with pytest.raises(InputError, match=r"no convolution on the way .*; name a tensor that .* \(tensor=\)"):
        Explainer(dense, method="grad_cam").explain(np.ones((1, 3)))
    with pytest.raises(InputError, match=r"the tensor has 0 axes of places, .*, and the input 'x' 0; name a"):
        Explainer(dense, method="grad_cam", tensor="h").explain(np.ones((1, 3)))
    masks = parse(
        "g (float[N,2,4,4] x) => (float[N,3,4,4] y) { c = Conv (x, w) y = Relu (c) }", w=np.ones((3, 2, 1, 1))
    )
    with pytest.raises(InputError, match=r"the last convolution, Conv '.*', makes the target itself"):
        Explainer(masks, method="grad_cam").explain(np.ones((1, 2, 4, 4)), "y[0, 1, 2]")
    with pytest.raises(TargetError, match="is no tensor of this model"):
        twin("relus").explain(picture(), "grad_cam", tensor="nothing")
    with pytest.raises(InputError, match="upsampling is 'cubic'; there is: bilinear, nearest"):
        twin("relus").explain(picture(), "grad_cam", upsampling="cubic")


SERIES = "c = Conv (t, w) r = Relu (c) m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }"


@pytest.mark.parametrize("tensor", ["", "b"])
def test_axes_are_those_of_the_graph(tensor):
    """Channels last without a word, grey pictures without channels, and a tensor that has been turned."""
    w, u = rng(1).standard_normal((4, 2, 3, 3)), rng(2).standard_normal((4, 3))
    back = "b = Transpose <perm = [0,2,3,1]> (r) v = Transpose <perm = [0,3,1,2]> (b)"
    body = SERIES.replace("m = GlobalAveragePool (r)", f"{back} m = GlobalAveragePool (v)")
    first = parse(f"g (float[N,2,6,8] t) => (float[N,3] y) {{ {body}", w=w, u=u)
    last = parse(
        f"g (float[N,6,8,2] x) => (float[N,3] y) {{ t = Transpose <perm=[0,3,1,2]> (x) {body}", w=w, u=u
    )
    x = rng(3).standard_normal((2, 2, 6, 8)).astype(np.float32)
    how = {"target": 1, "method": "grad_cam"}
    wanted = explainer.explain(first, x, tensor="r", **how).relevance
    np.testing.assert_allclose(explainer.explain(first, x, tensor=tensor, **how).relevance, wanted, rtol=1e-6)
    found = explainer.explain(last, np.moveaxis(x, 1, -1).copy(), tensor=tensor, **how)
    np.testing.assert_allclose(found.relevance[..., 0], wanted[:, 0], rtol=1e-6)
    assert found.layout == "NHWC"
    explainer.compile(last, tensor=tensor, **how)
    grey = parse(
        f"g (float[N,6,8] x) => (float[N,3] y) {{ t = Unsqueeze (x, one) {SERIES}",
        w=w[:, :1],
        u=u,
        one=np.array([1]),
    )
    one = parse(f"g (float[N,1,6,8] t) => (float[N,3] y) {{ {SERIES}", w=w[:, :1], u=u)
    alone = explainer.explain(grey, x[:, 0], **how).relevance
    np.testing.assert_array_equal(alone, explainer.explain(one, x[:, :1], **how).relevance[:, 0])


def test_places_are_needed_that_the_input_has():
    """Time behind a recurrent layer's features is no place of a picture; words have none of a tensor's."""
    w, u = rng(1).standard_normal((4, 2, 3)), rng(2).standard_normal((4, 3))
    rows = parse(
        f"g (float[N,16] x) => (float[N,3] y) {{ t = Reshape (x, s) {SERIES}",
        w=w,
        u=u,
        s=np.array([-1, 2, 8]),
    )
    with pytest.raises(InputError, match=r"beside samples and channels, and the input 'x' 0"):
        explainer.explain(rows, np.ones((1, 16)), method="grad_cam")
    mixed = parse(
        """g (float[N,5,4] x) => (float[N,4] y) {
        h = MatMul (x, a) q = Tanh (h) f = Flatten (q) y = MatMul (f, b) }""",
        a=np.ones((4, 4)), b=np.ones((20, 4)),
    )  # fmt: skip
    with pytest.raises(InputError, match="nothing tells which of its axes hold channels and places"):
        explainer.explain(mixed, np.ones((1, 5, 4)), method="grad_cam", tensor="q")


def test_a_rule_that_the_walk_never_comes_to_is_refused():
    net = twin("relus")
    nodes = [node for node in Explainer(net.model).graph.nodes if node.operator == "Conv"]
    with pytest.raises(CompositeError, match=r"grad_cam walks back to '.*' alone"):
        Explainer(net.model, method="grad_cam", rules={nodes[0].name: "gradient"}).explain(picture())


@pytest.mark.parametrize(
    ("shape", "said"), [((5, 6, 6), r"channels: preprocess=.*says it$"), ((6, 6), "channels$")]
)
def test_an_input_that_might_be_anything_is_no_picture(shape, said):
    """It goes through a Reshape before it is convolved: nobody knows what its axes were."""
    size, sizes = int(np.prod(shape)), ",".join(map(str, shape))
    target = (-1, 1, size // 6, 6) if len(shape) == 3 else (-1, 1, size)
    kernel = np.ones((4, 1, 3, 3)) if len(shape) == 3 else np.ones((4, 1, 3))
    model = parse(
        f"g (float[N,{sizes}] x) => (float[N,3] y) {{ t = Reshape (x, s) {SERIES}",
        w=kernel, u=np.ones((4, 3)), s=np.array(target),
    )  # fmt: skip
    with pytest.raises(
        InputError, match=rf"grad_cam: input 'x' has shape \(1, .*\), and nothing tells .*{said}"
    ):
        explainer.explain(model, np.ones((1, *shape)), method="grad_cam")
