"""Small configurations of transformers' families: pictures, and pictures with words."""

from __future__ import annotations

from typing import Any

from configuring import VISION, WORDS, configured, member, seen, shown
from members import Member, words


def resnet_config() -> Any:
    import transformers

    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )


def detr() -> Any:
    return configured(
        "Detr",
        "ForObjectDetection",
        "logits",
        ("pixel_values",),
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=resnet_config(),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=6,
        num_labels=4,
    )


def rtdetr() -> Any:
    """Its decoder starts from the best places of the encoder: the choice of these has no gradient."""
    import transformers

    return configured(
        "RTDetr",
        "ForObjectDetection",
        "logits",
        ("pixel_values",),
        backbone_config=transformers.RTDetrResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 16, 16, 32],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        ),
        encoder_in_channels=[16, 16, 32],
        encoder_hidden_dim=32,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_in_channels=[32, 32, 32],
        d_model=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        num_queries=6,
        num_labels=4,
    )


CLIP = {key: VISION[key] for key in VISION if key not in ("image_size", "patch_size")}
STAGES = {
    "depths": [1, 1],
    "num_heads": [2, 4],
    "embed_dim": 32,
    "window_size": 4,
    "image_size": 32,
    "patch_size": 4,
}
MEMBERS = [
    seen("vit", "ViT", quick=True, **VISION),
    seen("deit", "DeiT", **VISION),
    seen("beit", "Beit", **VISION, use_relative_position_bias=True, vocab_size=30),
    seen("dinov2", "Dinov2", **VISION),
    seen("swin", "Swin", **STAGES),
    seen("swin_v2", "Swinv2", **STAGES),
    seen("convnext", "ConvNext", hidden_sizes=[16, 32], depths=[1, 1], num_stages=2),
    seen("convnext_v2", "ConvNextV2", hidden_sizes=[16, 32], depths=[1, 1], num_stages=2),
    seen(
        "resnet",
        "ResNet",
        64,
        embedding_size=8,
        hidden_sizes=[16, 32],
        depths=[1, 1],
        layer_type="bottleneck",
    ),
    seen("poolformer", "PoolFormer", 64, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1]),
    seen(
        "mobilevit",
        "MobileViT",
        64,
        hidden_sizes=[16, 16, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 32],
        num_attention_heads=2,
        image_size=64,
    ),
    seen(
        "levit",
        "Levit",
        64,
        image_size=64,
        hidden_sizes=[32, 48, 64],
        num_attention_heads=[2, 3, 4],
        depths=[1, 1, 1],
        key_dim=[16, 16, 16],
    ),
    seen("efficientnet", "EfficientNet", 64, width_coefficient=0.3, depth_coefficient=0.3, hidden_dim=384),
    seen(
        "focalnet",
        "FocalNet",
        32,
        image_size=32,
        embed_dim=16,
        depths=[1, 1],
        hidden_sizes=[16, 32],
        focal_levels=[2, 2],
        focal_windows=[3, 3],
    ),
    member(
        "segformer",
        "Segformer",
        "ForSemanticSegmentation",
        shown(64),
        hidden_sizes=[16, 16, 32, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        num_labels=4,
    ),
    member(
        "dpt",
        "DPT",
        "ForDepthEstimation",
        shown(32),
        "predicted_depth",
        **{**VISION, "num_hidden_layers": 4},
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
    ),
    member(
        "yolos",
        "Yolos",
        "ForObjectDetection",
        shown(32),
        **{**VISION, "image_size": [32, 32]},
        num_detection_tokens=5,
        num_labels=4,
    ),
    Member("rtdetr, its best boxes", rtdetr, {"pixel_values": (1, 3, 64, 64)}, "transformers"),
    Member("detr", detr, {"pixel_values": (1, 3, 64, 64)}, "transformers"),
    member(
        "clip",
        "CLIP",
        "Model",
        {**words(8), "pixel_values": (1, 3, 32, 32)},
        "logits_per_image",
        text_config={**WORDS, "eos_token_id": 2},
        vision_config=VISION,
        projection_dim=32,
    ),
    member(
        "clip, vision",
        "CLIP",
        "VisionModelWithProjection",
        shown(32),
        "image_embeds",
        config="CLIPVision",
        **VISION,
        projection_dim=32,
    ),
    member(
        "siglip, vision", "Siglip", "VisionModel", shown(32), "pooler_output", config="SiglipVision", **VISION
    ),
]
