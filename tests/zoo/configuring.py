"""Members of transformers' families, made of a small configuration."""

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
