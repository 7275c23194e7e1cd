"""The 96 kinds of models of November 2026's catalogues, and the members that stand for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Those that were explained from the first day, then by what had to come for each.
KINDS: Mapping[str, Collection[str]] = {
    "torchvision": (
        *("resnet18", "resnext50_32x4d", "regnet_x_400mf", "mobilenet_v2", "mnasnet0_5", "densenet121"),
        *(
            "squeezenet1_1",
            "shufflenet_v2_x0_5",
            "googlenet",
            "inception_v3",
            "alexnet",
            "vgg11_bn",
            "r3d_18",
        ),
        *("mobilenet_v3_small", "regnet_y_400mf", "efficientnet_b0", "efficientnet_v2_s", "convnext", "vit"),
        *("swin", "swin_v2", "lraspp_mobilenet_v3", "deeplabv3_mobilenet_v3", "fcn_resnet50"),
        "ssdlite, its scores",
    ),
    "timm": (
        *("resnetv2_50", "tf_efficientnet_lite0", "mobilenetv4_conv_small", "mobileone_s0", "repvgg_a0"),
        *(
            "dla46_c",
            "res2net50_14w_8s",
            "mobilenetv3_small_050",
            "ghostnet_050",
            "seresnet18",
            "nf_regnet_b0",
        ),
        *("rexnet_100", "resnext26ts", "convnext_atto", "swin_tiny_patch4_window7_224"),
        *("beit_base_patch16_224", "mixer_s16_224", "resmlp_12_224", "mobilevit_xxs", "fastvit_t8"),
        *("tiny_vit_5m_224", "levit_128s", "efficientformer_l1", "coatnet_nano_rw_224"),
        *("maxvit_rmlp_pico_rw_256", "mobilenetv4_hybrid_medium", "pvt_v2_b0", "vit_tiny_patch16_224"),
        *("deit3_small_patch16_224", "cait_xxs24_224", "vit_small_patch14_dinov2", "eva02_tiny_patch14_224"),
        *("hrnet_w18_small", "efficientformerv2_s0", "skresnet18", "swinv2_tiny_window8_256"),
        *("xcit_nano_12_p16_224", "edgenext_xx_small", "poolformer_s12", "gmlp_ti16_224", "starnet_s1"),
        *("maxvit_nano_rw_256", "convnextv2_atto"),
    ),
    "transformers": (
        *("resnet", "convnext", "swin", "segformer", "vit", "detr", "rtdetr, its best boxes", "clip"),
        *("bert", "bert, mask", "bert, from embeddings", "distilbert", "roberta", "wav2vec2"),
        *("whisper, encoder", "gpt2", "llama", "mamba", "t5, encoder"),
    ),
    "yolo": ("yolov5", "yolov8", "yolo11", "yolo11-seg", "yolo12", "yolo11-cls"),
    "sequences": ("nn.TransformerEncoder", "lstm", "gru"),
}
