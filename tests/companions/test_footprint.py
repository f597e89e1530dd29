"""What a companion does without: it runs for months beside everything else."""

import subprocess
import sys

HEAVY = (
    "mcp",
    "numpy",
    "onnxruntime",
    "kitoken",
    "pydantic",
    "lxml",
    "trafilatura",
    "openpyxl",
    "apprise",
    "pywebpush",
    "cryptography",
)


def test_a_companion_imports_no_model_no_parser_and_no_protocol() -> None:
    code = (
        "import sys, worker_companions.local\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
