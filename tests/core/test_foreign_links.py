"""What a language model shows that no note has: pictures, and the addresses of others."""

import pytest

from dome_mcp.core.citations import without_foreign_links
from tests.core.passages import passage

LINKED = passage("Menu at https://zedamouraria.example/menu, by Rui.")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("See [the menu](https://evil.example/?q=1).", "See the menu."),
        ("See https://evil.example/?q=XK7PLM.", "See "),
        ("![oak](https://evil.example/x.png?q=1) Oak.", "oak Oak."),
        ("![](https://zedamouraria.example/menu) Oak.", " Oak."),
        ('<img src="https://evil.example/?q=1">Oak.', "Oak."),
        ("![x][1]\n\n[1]: https://evil.example/?q=1", "x\n\n[1]: "),
        ("[run](javascript:alert(1))", "run)"),
        (
            "See [the menu](https://zedamouraria.example/menu).",
            "See [the menu](https://zedamouraria.example/menu).",
        ),
        ("See https://zedamouraria.example/menu.", "See https://zedamouraria.example/menu."),
        ("<think>Is it <b>blue</b>?</think> It is.", " It is."),
        ("It is 3 < 4 and blue [1][2].", "It is 3 < 4 and blue [1][2]."),
    ],
)
def test_images_and_addresses_that_no_passage_has_are_taken_out(text: str, kept: str) -> None:
    assert without_foreign_links(text, [LINKED]) == kept
