"""Which tests share a process, which come first, and when one process is enough."""

import pytest

from tests.distribution import LONG, TOGETHER, is_worth_sharing, place_of, share_of


@pytest.mark.parametrize(
    ("first", "second", "is_together"),
    [
        ("tests/core/test_when.py::test_a", "tests/core/test_when.py::test_b[1]", True),
        ("tests/core/test_when.py::test_a[::1]", "tests/core/test_when.py::test_a[x/y]", True),
        ("tests/core/test_when.py::test_a", "tests/core/test_zones.py::test_a", False),
        ("tests/remote/page/test_add.py::test_a", "tests/remote/page/test_note.py::test_a", True),
        ("tests/remote/page/test_add.py::test_a", "tests/remote/test_app.py::test_a", False),
        (
            "tests/companion_workers/test_notify.py::test_a",
            "tests/companion_workers/api/test_chat.py::test_a",
            True,
        ),
    ],
)
def test_a_module_stays_together_and_so_does_a_folder_that_shares_what_is_slow_to_start(
    first: str, second: str, is_together: bool
) -> None:
    assert (share_of(first) == share_of(second)) is is_together


def test_what_takes_longest_comes_first() -> None:
    nodeids = ["tests/cli/test_doctor.py::test_a", *(f"{each}::test_a" for each in reversed(LONG))]
    assert sorted(nodeids, key=place_of) == [f"{each}::test_a" for each in LONG] + nodeids[:1]


@pytest.mark.parametrize(
    ("arguments", "marks", "is_shared"),
    [
        (["tests"], "", True),
        (["tests/core/test_when.py", "tests/core"], "", True),
        (["tests/core"], "not conformance", True),
        (["tests/core/test_when.py"], "", False),
        (["tests/core/test_when.py::test_a"], "", False),
        (["tests/live"], "live", False),
    ],
)
def test_a_module_or_the_live_suite_is_run_in_one_process(
    arguments: list[str], marks: str, is_shared: bool
) -> None:
    assert is_worth_sharing(arguments, marks) is is_shared


def test_every_share_that_is_named_exists(pytestconfig: pytest.Config) -> None:
    assert all((pytestconfig.rootpath / each).exists() for each in (*LONG, *TOGETHER))
