"""Small configurations of transformers' families: vision, words, sound, and several of them at once."""

from __future__ import annotations

import functools
from typing import Any

from members import Member, pictures, words

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,  # of which a score is no rounding error
}
WORDS = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 30,
    "max_position_embeddings": 16,
}
SOUND = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16, 16),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 12,
}


def configured(
    kind: str, model: str, output: str, names: tuple[str, ...], config: str = "", **how: Any
) -> Any:
    """A model of a configuration, `output` of what it returns."""
    import transformers
    from only import Only

    settings = getattr(transformers, f"{config or kind}Config")(**how)
    made = getattr(transformers, f"{kind}{model}")._from_config(settings)

    def run(model: Any, *inputs: Any) -> Any:
        found = model(**dict(zip(names, inputs, strict=True)), return_dict=True)
        return getattr(found, output)

    return Only(made, run)


def member(
    name: str,
    kind: str,
    model: str,
    inputs: dict[str, Any],
    output: str = "logits",
    quick: bool = False,
    **how: Any,
) -> Member:
    make = functools.partial(configured, kind, model, output, tuple(inputs), **how)
    return Member(name, make, inputs, "transformers", quick)


def shown(size: int) -> dict[str, Any]:
    """A picture by the name that transformers has for it."""
    return {"pixel_values": pictures(size)["input"]}


def seen(name: str, kind: str, size: int = 32, quick: bool = False, **how: Any) -> Member:
    """A classifier of pictures."""
    return member(name, kind, "ForImageClassification", shown(size), quick=quick, num_labels=10, **how)


def read(
    name: str, kind: str, model: str = "ForSequenceClassification", mask: bool = False, **how: Any
) -> Member:
    """A classifier of words, or what says the next one."""
    return member(name, kind, model, words(8, mask=mask), **{"pad_token_id": 1, **how})


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


def whisper_encoder() -> Any:
    import transformers
    from only import Only

    made = transformers.WhisperModel(transformers.WhisperConfig(**WHISPER)).encoder
    return Only(made, lambda model, x: model(x).last_hidden_state)


WHISPER = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 30,
    "num_mel_bins": 8,
    "max_source_positions": 10,
    "max_target_positions": 8,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}
CLIP = {key: VISION[key] for key in VISION if key not in ("image_size", "patch_size")}
STAGES = {
    "depths": [1, 1],
    "num_heads": [2, 4],
    "embed_dim": 32,
    "window_size": 4,
    "image_size": 32,
    "patch_size": 4,
}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": 30}
LLAMA = {**WORDS, "num_key_value_heads": 1, "use_cache": False}
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
    read("bert", "Bert", **WORDS),
    read("bert, mask", "Bert", mask=True, **WORDS),
    read("bert, eager", "Bert", attn_implementation="eager", **WORDS),
    member(
        "bert, from embeddings", "Bert", "ForSequenceClassification", {"inputs_embeds": (1, 8, 32)}, **WORDS
    ),
    read(
        "distilbert",
        "DistilBert",
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
        vocab_size=30,
        max_position_embeddings=16,
    ),
    read("roberta", "Roberta", **WORDS),
    read("electra", "Electra", embedding_size=16, **WORDS),
    read("albert", "Albert", embedding_size=16, **WORDS),
    read("deberta_v2", "DebertaV2", relative_attention=True, pos_att_type=["p2c", "c2p"], **WORDS),
    read("mpnet", "MPNet", **WORDS),
    read("bert, tokens", "Bert", "ForTokenClassification", **WORDS),
    read(
        "gpt2",
        "GPT2",
        "LMHeadModel",
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=16,
        vocab_size=30,
        use_cache=False,
    ),
    read("llama", "Llama", "ForCausalLM", **LLAMA),
    read("mistral", "Mistral", "ForCausalLM", **LLAMA),
    read("qwen2", "Qwen2", "ForCausalLM", **LLAMA),
    read("qwen3", "Qwen3", "ForCausalLM", head_dim=16, **LLAMA),
    read("gemma2", "Gemma2", "ForCausalLM", head_dim=16, **LLAMA),
    read("phi", "Phi", "ForCausalLM", **{**WORDS, "use_cache": False}),
    read("gpt_neox", "GPTNeoX", "ForCausalLM", **{**WORDS, "use_cache": False}),
    read(
        "opt",
        "OPT",
        "ForCausalLM",
        hidden_size=32,
        word_embed_proj_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=64,
        vocab_size=30,
        max_position_embeddings=16,
        use_cache=False,
    ),
    read(
        "mamba",
        "Mamba",
        "ForCausalLM",
        hidden_size=16,
        state_size=4,
        num_hidden_layers=1,
        vocab_size=30,
        use_cache=False,
    ),
    member("t5, encoder", "T5", "EncoderModel", words(8), "last_hidden_state", **T5),
    member(
        "t5",
        "T5",
        "ForConditionalGeneration",
        {**words(8), "decoder_input_ids": ((1, 4), 2, 30)},
        **T5,
        use_cache=False,
    ),
    member(
        "bart",
        "Bart",
        "ForConditionalGeneration",
        {**words(8), "decoder_input_ids": ((1, 4), 3, 30)},
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        vocab_size=30,
        max_position_embeddings=16,
        use_cache=False,
    ),
    member(
        "whisper",
        "Whisper",
        "ForConditionalGeneration",
        {"input_features": (1, 8, 20), "decoder_input_ids": ((1, 4), 2, 30)},
        **WHISPER,
        use_cache=False,
    ),
    Member("whisper, encoder", whisper_encoder, {"input_features": (1, 8, 20)}, "transformers"),
    member("wav2vec2", "Wav2Vec2", "ForCTC", {"input_values": (1, 400)}, **SOUND),
    member("hubert", "Hubert", "ForCTC", {"input_values": (1, 400)}, **SOUND),
    member(
        "ast",
        "AST",
        "ForAudioClassification",
        {"input_values": (1, 32, 16)},
        **{key: VISION[key] for key in CLIP},
        patch_size=8,
        frequency_stride=8,
        time_stride=8,
        max_length=32,
        num_mel_bins=16,
        num_labels=5,
    ),
]
