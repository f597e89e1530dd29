"""The process in which llama.cpp serves: its settings on the first line it is told, its address on
the first line it says. It ends when nobody can tell it anything any more."""

import json
import os
import sys

# Installed for this process alone (packages.py), and known to no type checker.
import xllamacpp  # pyright: ignore[reportMissingImports]

_ERRORS_ONLY = 1
_KEPT_PROMPTS_MB = 64


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    params.model_alias = {settings["name"]}
    params.port = settings["port"]
    params.api_keys = settings["api_keys"]
    params.n_ctx = settings["context_tokens"]
    # Two threads wait for each other by spinning, which on busy processors takes minutes.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.verbosity = _ERRORS_ONLY
    params.cache_ram_mib = _KEPT_PROMPTS_MB
    params.ui = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # at once: an answer that is being written would be waited for


if __name__ == "__main__":
    main()
