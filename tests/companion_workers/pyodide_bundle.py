"""The Pyodide bundle that workerd runs Python Workers on, written from the npm package `pyodide`.

In production workerd downloads a bundle by its version. With the compatibility flag
`python_workers_development` it reads `pyodide_dev.capnp.bin` from its folder of bundles instead,
neither downloaded nor checked, so that Python Workers run without a network. The interpreter, its
standard library and the loader are those of production; the few lines of JavaScript that a Worker
may not run are replaced by workerd's own functions.

The file is one Cap'n Proto message, `Bundle { modules :List(Module) }`.

Source: cloudflare/workerd@6552d999 `src/workerd/jsg/modules.capnp`, the module
`pyodide-internal:builtin_wrappers` inside workerd, and https://capnproto.org/encoding.html
(2026-11).
"""

import struct
from pathlib import Path

FILE_NAME = "pyodide_dev.capnp.bin"

_WORD = 8
_INTERNAL = 2
"""The type of a module that only workerd's own modules may import."""
_SOURCE, _WASM, _DATA = range(3)
_POINTERS = 4
"""Of a module: its name, its body, and two that stay empty (TypeScript, compile cache)."""
_MODULE_WORDS = 1 + _POINTERS
_BYTES, _STRUCTS = 2, 7
"""What the elements of a list are."""

_REPLACED = (
    ("new WebAssembly.Module(", "newWasmModule("),
    ("crypto.getRandomValues(", "getRandomValues(Module,"),
    # Compiled packages are read where workerd may compile them.
    ("(loadLibData(),", "(patchedLoadLibData(Module, libName, flags.rpath),"),
    (
        "export default _createPyodideModule;",
        "export { _createPyodideModule }; export default _createPyodideModule;",
    ),
)
_IMPORTS = """\
import { getRandomValues, newWasmModule, patchedLoadLibData }
  from "pyodide-internal:builtin_wrappers";
"""

Module = tuple[str, int, bytes]
"""Name, kind and body."""


def write_bundle(pyodide: Path, folder: Path) -> Path:
    """Writes the bundle of the npm package in `pyodide` to `folder`, and returns the file.

    Raises:
        ValueError: the package is another than the one this was made for.
    """
    glue = _patched((pyodide / "pyodide.asm.mjs").read_text(encoding="utf-8"))
    modules: list[Module] = [
        ("pyodideRuntime-internal:pyodide.asm", _SOURCE, glue.encode()),
        (
            "pyodideRuntime-internal:pyodide.asm.wasm",
            _WASM,
            (pyodide / "pyodide.asm.wasm").read_bytes(),
        ),
        (
            "pyodideRuntime-internal:python_stdlib.zip",
            _DATA,
            (pyodide / "python_stdlib.zip").read_bytes(),
        ),
    ]
    file = folder / FILE_NAME
    file.write_bytes(_message(modules))
    return file


def _patched(glue: str) -> str:
    for found, replacement in _REPLACED:
        if found not in glue:
            raise ValueError(f"Pyodide's glue has no {found!r}")
        glue = glue.replace(found, replacement)
    return _IMPORTS + glue


def _message(modules: list[Module]) -> bytes:
    """The message in one segment: the structs of all modules, then their texts in order."""
    texts = [text for name, _, body in modules for text in (name.encode() + b"\0", body)]
    structs_at = 3  # after the root's pointer, its one pointer to the list, and the list's tag
    places: list[int] = []
    end = structs_at + len(modules) * _MODULE_WORDS
    for text in texts:
        places.append(end)
        end += _words(text)

    head = [
        struct.pack("<iHH", 0, 0, 1),
        _list_pointer(0, _STRUCTS, len(modules) * _MODULE_WORDS),
        struct.pack("<iHH", len(modules) << 2, 1, _POINTERS),
    ]
    for number, (_, kind, _body) in enumerate(modules):
        first = structs_at + number * _MODULE_WORDS
        head.append(struct.pack("<HHI", _INTERNAL, kind, 0))
        for pointer in (0, 1):
            text = 2 * number + pointer
            # A pointer counts from its own end.
            offset = places[text] - (first + 1 + pointer) - 1
            head.append(_list_pointer(offset, _BYTES, len(texts[text])))
        head.append(bytes(2 * _WORD))
    padded = (text.ljust(_words(text) * _WORD, b"\0") for text in texts)
    return b"".join([struct.pack("<II", 0, end), *head, *padded])


def _list_pointer(offset: int, elements: int, count: int) -> bytes:
    return struct.pack("<iI", offset << 2 | 1, count << 3 | elements)


def _words(text: bytes) -> int:
    return -(-len(text) // _WORD)
