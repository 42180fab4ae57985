#!/usr/bin/env python3
"""Writes the similarities of `pairs.jsonl` to `cosines.csv`, from a local sentence-transformer folder (BERT, mean pooling).

    pip install numpy safetensors tokenizers
    tests/pairs/embed.py MODEL_FOLDER
"""

import hashlib
import json
import pathlib
import sys
import zlib

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
model = pathlib.Path(sys.argv[1])
config = json.loads((model / "config.json").read_text())
weights = {name: value.astype(np.float32) for name, value in load_file(model / "model.safetensors").items()}
tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(256)
heads = config["num_attention_heads"]


def norm(x, name):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
    return scaled * weights[name + ".weight"] + weights[name + ".bias"]


def dense(x, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def erf(x):  # Abramowitz and Stegun 7.1.26: off by less than 1.5e-7
    t = 1 / (1 + 0.3275911 * np.abs(x))
    poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - poly * np.exp(-x * x))


def embed(text):
    ids = tokenizer.encode(text).ids
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        split = lambda y: y.reshape(len(ids), heads, -1).transpose(1, 0, 2)
        q, k, v = (split(dense(x, at + "attention.self." + part)) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + dense(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm")
        inner = dense(x, at + "intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        x = norm(x + dense(inner, at + "output.dense"), at + "output.LayerNorm")
    pooled = x.mean(0)
    return pooled / np.linalg.norm(pooled)


pairs = (HERE / "pairs.jsonl").read_bytes()
known = {}
lines = []
for line in pairs.decode().splitlines():
    pair = json.loads(line)
    for text in (pair["a"], pair["b"]):
        if text not in known:
            known[text] = embed(text)
    lines.append(f"{float(known[pair['a']] @ known[pair['b']]):.4f}")
digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
head = f"# weights sha256 {digest}\n# pairs crc32 {zlib.crc32(pairs):08x}\n"
(HERE / "cosines.csv").write_text(head + "\n".join(lines) + "\n")
print(f"{len(lines)} similarities of {len(known)} texts")
