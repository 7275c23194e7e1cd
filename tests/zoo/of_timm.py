"""Small members of timm's families."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from members import Member, pictures


def named(name: str, **how: Any) -> Any:
    importlib.import_module("exporter._torchvision")  # without which timm may not load
    return importlib.import_module("timm").create_model(name, pretrained=False, num_classes=10, **how)


def lively(name: str, **how: Any) -> Any:
    """A model whose weights are drawn for widths of hundreds, so that its score is no rounding error."""
    model = named(name, **how)
    for parameter in model.parameters():
        parameter.data *= 5 if parameter.ndim > 1 else 1
    return model


def timm(name: str, size: int = 64, quick: bool = False, drawn: Any = named, **how: Any) -> Member:
    """A member."""
    make = functools.partial(drawn, name, **how)
    return Member(name, make, pictures(size), "timm", quick)


TWO = (1, 1)
VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
SWIN = {"img_size": 32, "window_size": 4, "embed_dim": 32, "depths": (1, 2), "num_heads": (2, 4)}
MEMBERS = [
    timm("beit_base_patch16_224", 32, **VIT, drawn=lively),
    timm("cait_xxs24_224", 32, img_size=32, patch_size=8, embed_dim=32, depth=1, num_heads=2, drawn=lively),
    timm("coatnet_nano_rw_224", img_size=64, depths=TWO * 2, embed_dim=(32,) * 4, stem_width=16),
    timm("convnext_atto", 32, depths=TWO * 2, dims=(8, 16, 16, 32)),
    timm("convnextv2_atto", 32, depths=TWO * 2, dims=(8, 16, 16, 32)),
    timm("deit3_small_patch16_224", 32, **VIT),
    timm("dla46_c", 64),
    timm("edgenext_xx_small", 64, depths=TWO * 2, dims=(16, 32, 32, 32), heads=(2, 2, 2, 2)),
    timm("efficientformer_l1", 224, depths=TWO * 2, embed_dims=(16, 32, 32, 64)),
    timm("efficientformerv2_s0", 64, img_size=64),
    timm("efficientnet_es", 64),
    timm("eva02_tiny_patch14_224", 28, img_size=28, patch_size=7, embed_dim=32, depth=2, num_heads=2),
    timm("fastvit_t8", 64),
    timm("ghostnet_050", 64),
    timm("gmlp_ti16_224", 48, img_size=48),
    timm("hrnet_w18_small", 64),
    timm("levit_128s", 64, img_size=64),
    timm("maxvit_nano_rw_256", 64, img_size=64, depths=TWO * 2, embed_dim=(32,) * 4, stem_width=16),
    timm("maxvit_rmlp_pico_rw_256", 64, img_size=64, depths=TWO * 2, embed_dim=(32,) * 4, stem_width=16),
    timm("mixer_s16_224", 48, img_size=48),
    timm("mobilenetv3_small_050", 64),
    timm("mobilenetv4_conv_small", 64),
    timm("mobilenetv4_hybrid_medium", 64),
    timm("mobileone_s0", 64),
    timm("mobilevit_xxs", 64),
    timm("mobilevitv2_050", 64),
    timm("nf_regnet_b0", 64),
    timm("poolformer_s12", 64),
    timm("pvt_v2_b0", 64, depths=TWO * 2, embed_dims=(16, 32, 32, 32), num_heads=(1, 2, 2, 2)),
    timm("regnety_002", 64),
    timm("repvgg_a0", 64),
    timm("res2net50_14w_8s", 32, layers=TWO * 2),
    timm("resmlp_12_224", 48, img_size=48),
    timm("resnest14d", 64, layers=TWO * 2),
    timm("resnetv2_50", 32, layers=TWO * 2),
    timm("resnext26ts", 64),
    timm("rexnet_100", 64),
    timm("seresnet18", 64, layers=TWO * 2),
    timm("skresnet18", 64, layers=TWO * 2),
    timm("starnet_s1", 64),
    timm("swin_tiny_patch4_window7_224", 32, **SWIN),
    timm("swinv2_tiny_window8_256", 32, **SWIN),
    timm("tf_efficientnet_lite0", 64),
    timm("tiny_vit_5m_224", 64, embed_dims=(16, 32, 32, 32), num_heads=(1, 2, 2, 2), depths=TWO * 2),
    timm("vit_tiny_patch16_224", 32, True, **VIT),
    timm("vit_small_patch14_dinov2", 28, img_size=28, patch_size=7, embed_dim=32, depth=2, num_heads=2),
    timm("vit_base_patch16_siglip_224", 32, **VIT, drawn=lively),
    timm("xcit_nano_12_p16_224", 64, img_size=64, embed_dim=32, depth=2, num_heads=2),
    timm("xception41", 64),
]
