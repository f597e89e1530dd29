"""`config.toml` is changed without touching what else stands in it."""

import stat
from pathlib import Path

import pytest

from dome_mcp.commands.config_file import set_values
from dome_mcp.core.errors import InvalidInput

CASES = {
    "no file": (None, {"a": "1"}, 'a = "1"\n'),
    "a new name": ('# mine\nb = "2"', {"a": "1"}, '# mine\nb = "2"\na = "1"\n'),
    "another value": ("a=3 # old\nb = true\n", {"a": "1"}, 'a = "1"\nb = true\n'),
    "a name taken away": ('a = "1"\nb = "2"\n', {"a": None}, 'b = "2"\n'),
    "above a table": ('b = "2"\n[t]\nc = 1\n', {"a": "1"}, 'b = "2"\na = "1"\n[t]\nc = 1\n'),
    "signs and letters": (None, {"a": 'ü "q" \\ \n'}, 'a = "\\u00fc \\"q\\" \\\\ \\n"\n'),
}


@pytest.mark.parametrize("case", CASES)
def test_a_value_is_written_and_the_rest_stays(tmp_path: Path, case: str) -> None:
    before, values, after = CASES[case]
    path = tmp_path / "home" / "config.toml"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before, encoding="utf-8")
    assert set_values(path, values)
    assert path.read_text("utf-8") == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not set_values(path, values)
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


REFUSED = {
    "no TOML": "a = \n",
    "a value over several lines": 'a = """\nold\n"""\n',
    "a line within a text that looks like the setting": 'b = """\na = 1\n"""\n',
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_changed_safely_stays_as_it_was(tmp_path: Path, case: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(REFUSED[case], encoding="utf-8")
    with pytest.raises(InvalidInput):
        set_values(path, {"a": "1"})
    assert path.read_text("utf-8") == REFUSED[case]
