"""The quick start does what the README says, and says when it does not."""

import shutil
import subprocess
import sys
from pathlib import Path

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.py"


def run(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_the_quick_start_stores_searches_answers_and_ends_with_how_to_add_dome() -> None:
    ran = run(QUICKSTART)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "9 documents stored and indexed" in ran.stdout
    assert "[1] Norvia HP-8 heat pump: owner's manual, p. 2, 2024-09-18" in ran.stdout
    assert "A: Not in your notes." in ran.stdout
    last = ran.stdout.splitlines()[-1].strip()
    assert last == f"claude mcp add dome --scope user -- {sys.executable} -m dome_mcp"


def test_a_quick_start_that_misses_a_document_fails_and_says_so(tmp_path: Path) -> None:
    shutil.copy(QUICKSTART, tmp_path)
    documents = shutil.copytree(QUICKSTART.parent / "documents", tmp_path / "documents")
    (documents / "heat-pump-manual.pdf").unlink()
    ran = run(tmp_path / "quickstart.py")
    assert ran.returncode == 1
    assert "The quick start failed: The answer does not say 'seven years'." in ran.stderr


def test_a_quick_start_without_documents_fails(tmp_path: Path) -> None:
    shutil.copy(QUICKSTART, tmp_path)
    (tmp_path / "documents").mkdir()
    ran = run(tmp_path / "quickstart.py")
    assert ran.returncode == 1
    assert "There are no documents" in ran.stderr
