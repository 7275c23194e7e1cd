"""Small configurations of transformers' families: words and sound."""

from __future__ import annotations

from typing import Any

from configuring import SOUND, VISION, WORDS, member, read
from members import Member, words

ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
WHISPER = {
    **ENCODER_DECODER,
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
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": 30}
LLAMA = {**WORDS, "num_key_value_heads": 1, "use_cache": False}


def whisper_encoder() -> Any:
    import transformers
    from only import Only

    made = transformers.WhisperModel(transformers.WhisperConfig(**WHISPER)).encoder
    return Only(made, lambda model, x: model(x).last_hidden_state)


MEMBERS = [
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
        **ENCODER_DECODER,
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
        **{key: VISION[key] for key in VISION if key not in ("image_size", "patch_size")},
        patch_size=8,
        frequency_stride=8,
        time_stride=8,
        max_length=32,
        num_mel_bins=16,
        num_labels=5,
    ),
]
