"""One member of every family of torchvision: classification, segmentation, video, detection to its boxes."""

from __future__ import annotations

import functools
from typing import Any

from members import Member, pictures


def models() -> Any:
    from exporter._torchvision import torchvision

    return torchvision.models


def named(name: str, **how: Any) -> Any:
    """A model of ten classes, or of whatever else there is."""
    return models().get_model(name, weights=None, num_classes=10, **how)


def small_head(name: str, features: int) -> Any:
    """A model whose head is made for 224 pixels, with one for fewer."""
    from torch import nn

    model = named(name)
    model.avgpool = nn.AdaptiveAvgPool2d(1)
    model.classifier = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, 10))
    return model


def resnet(**how: Any) -> Any:
    """Of each stage one block."""
    from torchvision.models.resnet import Bottleneck, ResNet

    return ResNet(Bottleneck, [1, 1, 1, 1], **{"num_classes": 10, **how})


def film_resnet(name: str) -> Any:
    """Of each stage one block."""
    from torchvision.models.video import resnet as nets

    convolutions = {
        "r3d": [nets.Conv3DSimple] * 4,
        "mc3": [nets.Conv3DSimple] + [nets.Conv3DNoTemporal] * 3,
        "r2plus1d": [nets.Conv2Plus1D] * 4,
    }
    stem = nets.R2Plus1dStem if name == "r2plus1d" else nets.BasicStem
    return nets.VideoResNet(nets.BasicBlock, convolutions[name], [1, 1, 1, 1], stem, num_classes=10)


def convnext() -> Any:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 1)], num_classes=10)


def swin(version: int) -> Any:
    from torchvision.models import swin_transformer as swin

    second = {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
    how = second if version == 2 else {}
    return swin.SwinTransformer([4, 4], 32, [2, 2], [2, 4], [4, 4], num_classes=10, **how)


def film_swin() -> Any:
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    return SwinTransformer3d([2, 4, 4], 32, [2, 2], [2, 4], [2, 4, 4], num_classes=10)


def efficientnet(name: str) -> Any:
    """Of each stage one block."""
    from torchvision.models import efficientnet as nets

    settings, last = nets._efficientnet_conf(name, width_mult=0.5, depth_mult=0.3)
    for setting in settings:
        setting.num_layers = 1
    return nets.EfficientNet(settings, 0.0, num_classes=10, last_channel=last and 128)


def mvit(version: int) -> Any:
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    blocks = [
        MSBlockConfig(1, 16, 16, [], [3, 3, 3], [], [1, 2, 2]),
        MSBlockConfig(2, 16, 32, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1]),
    ]
    second = version == 2
    return MViT(
        (32, 32),
        4,
        blocks,
        residual_pool=second,
        residual_with_cls_embed=not second,
        rel_pos_embed=second,
        proj_after_attn=second,
        num_classes=10,
    )


def s3d() -> Any:
    from torch import nn

    model = named("s3d")
    model.avgpool = nn.AvgPool3d((2, 2, 2), 1)  # the last map of 64 pixels
    return model


def whole(name: str) -> Any:
    return named(name, weights_backbone=None)


def masks(name: str) -> Any:
    """A segmenter that returns its masks alone."""
    from only import Only

    return Only(whole(name), lambda model, x: model(x)["out"])


def fcn() -> Any:
    from only import Only
    from torchvision.models.segmentation.fcn import _fcn_resnet

    made = _fcn_resnet(resnet(replace_stride_with_dilation=[False, True, True]), 10, None)
    return Only(made, lambda model, x: model(x)["out"])


def of_one_stage(name: str) -> Any:
    """RetinaNet or FCOS on a pyramid of a small ResNet."""
    from torchvision.models import detection
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    above = LastLevelP6P7(256, 256)
    pyramid = _resnet_fpn_extractor(resnet(), 5, returned_layers=[2, 3, 4], extra_blocks=above)
    return getattr(detection, name)(pyramid, 10)


def scores(made: Any) -> Any:
    """A detector's backbone and head, up to its scores: what is left chooses among boxes."""
    from only import Only

    def run(model: Any, x: Any) -> Any:
        maps = list(model.backbone(x).values())
        return model.rpn.head(maps)[0][0] if hasattr(model, "rpn") else model.head(maps)["cls_logits"]

    return Only(made(), run)


def flow() -> Any:
    from only import Only

    model = models().optical_flow.raft_small(weights=None)
    return Only(model, lambda model, first, second: model(first, second, num_flow_updates=1)[-1])


def plain(name: str, size: int = 64, frames: int = 0, quick: bool = False, **how: Any) -> Member:
    return Member(name, functools.partial(named, name, **how), pictures(size, frames), quick=quick)


def vit() -> Any:
    return models().VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=10)


def maxvit() -> Any:
    return models().MaxVit((64, 64), 16, 4, [16, 32], [1, 1], 16, 0.0, num_classes=10)


LARGE = "mobilenet_v3_large"
MEMBERS = [
    Member("alexnet", lambda: small_head("alexnet", 256), pictures(64)),
    Member("convnext", convnext, pictures(32), quick=True),
    plain("densenet121"),
    Member("efficientnet_b0", lambda: efficientnet("efficientnet_b0"), quick=True),
    Member("efficientnet_v2_s", lambda: efficientnet("efficientnet_v2_s")),
    plain("googlenet", aux_logits=False, init_weights=True),
    plain("inception_v3", 96, aux_logits=False, init_weights=True),
    Member("maxvit", maxvit, pictures(64)),
    plain("mnasnet0_5"),
    plain("mobilenet_v2"),
    plain("mobilenet_v3_small", quick=True),
    plain("regnet_x_400mf"),
    plain("regnet_y_400mf"),
    plain("resnet18"),
    Member("resnext50_32x4d", lambda: resnet(groups=32, width_per_group=4)),
    Member("wide_resnet50_2", lambda: resnet(width_per_group=128)),
    plain("shufflenet_v2_x0_5", quick=True),
    plain("squeezenet1_1"),
    Member("swin", lambda: swin(1), pictures(32)),
    Member("swin_v2", lambda: swin(2), pictures(32)),
    Member("vgg11_bn", lambda: small_head("vgg11_bn", 512), pictures(32)),
    Member("vit", vit, pictures(32), quick=True),
    Member("fcn_resnet50", fcn, pictures(32)),
    Member("deeplabv3_mobilenet_v3", lambda: masks(f"deeplabv3_{LARGE}"), pictures(64)),
    Member("lraspp_mobilenet_v3", lambda: masks(f"lraspp_{LARGE}"), pictures(64)),
    Member("r3d_18", lambda: film_resnet("r3d"), pictures(32, 4)),
    Member("mc3_18", lambda: film_resnet("mc3"), pictures(32, 4)),
    Member("r2plus1d_18", lambda: film_resnet("r2plus1d"), pictures(32, 4)),
    Member("s3d", s3d, pictures(64, 16)),
    Member("mvit_v1", lambda: mvit(1), pictures(32, 4)),
    Member("mvit_v2", lambda: mvit(2), pictures(32, 4)),
    Member("swin3d", film_swin, pictures(32, 4)),
    Member("fasterrcnn, its scores", lambda: scores(lambda: whole(f"fasterrcnn_{LARGE}_fpn")), pictures(64)),
    Member("fcos, its scores", lambda: scores(lambda: of_one_stage("FCOS")), pictures(32)),
    Member("retinanet, its scores", lambda: scores(lambda: of_one_stage("RetinaNet")), pictures(32)),
    Member("ssdlite, its scores", lambda: scores(lambda: whole(f"ssdlite320_{LARGE}")), pictures(64)),
    Member("raft_small", flow, {"first": (1, 3, 128, 128), "second": (1, 3, 128, 128)}),
]
