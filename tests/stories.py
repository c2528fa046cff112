"""stories260K, a real pretrained model of 0.26 M weights, as a folder that transformers reads: llama2.c's arrays and tokenizer, renamed."""

import struct
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

NAMES = {
    "attention_norm": "input_layernorm", "wq": "self_attn.q_proj", "wk": "self_attn.k_proj", "wv": "self_attn.v_proj",
    "wo": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "w1": "mlp.gate_proj", "w2": "mlp.down_proj", "w3": "mlp.up_proj",
}  # fmt: skip


def halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of a projection from pairs side by side, as llama2.c rotates them, to first and second half, as transformers does."""
    out, width = weight.shape
    return weight.view(heads, out // heads // 2, 2, width).transpose(1, 2).reshape(out, width)


def tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """Byte-pair encoding: two pieces whose join is a piece are merged, those with the highest score first."""
    data, at, pieces = file.read_bytes(), 4, list[str]()
    while at < len(data):
        _, length = struct.unpack("fi", data[at : at + 8])
        pieces.append(data[at + 8 : at + 8 + length].decode().replace(" ", "\u2581"))
        at += 8 + length
    pieces[1:3] = ["<s>", "</s>"]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    merges = [
        (piece[:cut], piece[cut:])
        for piece in pieces[259:]  # best score first
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    inner = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    ends = "<s>"  # comes after each of its stories
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token=ends)


def write(data: Path, folder: Path) -> None:
    """Write the folder."""
    arrays = {key: torch.from_numpy(value) for key, value in np.load(data / "models/stories260K.npz").items() if value.dtype == np.float32}
    config = LlamaConfig(
        vocab_size=512, hidden_size=64, intermediate_size=172, num_hidden_layers=5, num_attention_heads=8, num_key_value_heads=4,
        max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    state = {
        "model.embed_tokens.weight": arrays["tok_embeddings"],
        "model.norm.weight": arrays["norm"],
        "lm_head.weight": arrays["tok_embeddings"],
    }
    for name, theirs in NAMES.items():
        for layer, weight in enumerate(arrays[name]):
            heads = {"wq": 8, "wk": 4}.get(name)
            state[f"model.layers.{layer}.{theirs}.weight"] = halves(weight, heads) if heads else weight
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    model.save_pretrained(folder)
    tokenizer(data / "models/tok512.bin").save_pretrained(folder)
