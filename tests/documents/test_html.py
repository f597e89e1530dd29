"""Web pages give what is written on them, not what stands around it."""

from datetime import UTC, datetime

from dome_mcp.documents.registry import parse

ARTICLE = "The dough rests for twelve hours at room temperature before it is baked. " * 8


def page(body: str, *, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def test_an_article_is_read_without_the_menus_around_it() -> None:
    data = page(
        "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop now</a></li></ul></nav>"
        "<div class='cookie-banner'>We value your privacy</div>"
        f"<article><h1>Bread</h1><p>{ARTICLE}</p><h2>Oven</h2>"
        f"<p>Bake at 230 °C with <code>top_heat</code> on.</p><p>{ARTICLE}</p></article>"
        "<footer>Copyright, imprint, cookies</footer>"
    )
    document = parse(data, filename="bread.html")
    assert [section.heading for section in document.sections] == ["Bread", "Bread > Oven"]
    assert "Bake at 230 °C with top_heat on." in document.text
    assert "Shop now" not in document.text
    assert "imprint" not in document.text
    assert "privacy" not in document.text


def test_a_small_page_keeps_its_structure() -> None:
    data = page(
        "<nav>Menu</nav><h1>Keys</h1><p>Under the pot.</p><ul><li>shed</li><li>cellar</li></ul>"
    )
    assert parse(data, filename="a.html").text == "# Keys\n\nUnder the pot.\n\n- shed\n- cellar"


def test_lists_tables_code_and_line_breaks_come_out_as_text() -> None:
    data = page(
        "<h1>All</h1><ol><li>one<ul><li>inner</li></ul></li><li>two</li></ol>"
        "<table><tr><th>Item</th><th>Euro</th></tr><tr><td>Nails</td><td>4</td></tr></table>"
        "<pre>a\n\n\n\n  b</pre><p>x<br>y<script>no()</script></p>"
    )
    assert parse(data, filename="a.html").text == (
        "# All\n\n1. one\n  - inner\n2. two\n\nItem: Nails; Euro: 4\n\n"
        "```\na\n\n\n\n  b\n```\n\nx\ny"
    )


def test_title_and_date_come_from_the_head() -> None:
    head = (
        "<title>Bread | Baker's blog</title><meta property='og:title' content='Bread at home'>"
        "<meta property='article:published_time' content='2025-11-02T07:30:00+01:00'>"
    )
    document = parse(page("<p>Mix and wait.</p>", head=head), filename="a.html")
    assert document.title == "Bread at home"
    assert document.created_at == datetime(2025, 11, 2, 6, 30, tzinfo=UTC)


def test_a_page_in_its_declared_encoding_keeps_its_letters() -> None:
    data = "<html><head><meta charset='iso-8859-2'></head><body><p>Zażółć</p></body></html>"
    assert parse(data.encode("iso-8859-2"), filename="a.html").text == "Zażółć"


def test_a_page_is_known_by_its_beginning_whatever_its_address_says() -> None:
    data = page("<p>Opening hours: 9 to 5.</p>")
    assert parse(data, filename="index", content_type=None).text == "Opening hours: 9 to 5."
    document = parse(data, filename="show.php", content_type="text/html; charset=utf-8")
    assert document.content_type == "text/html"


def test_tags_nested_beyond_measure_still_give_their_text() -> None:
    data = b"<html>" + b"<div>" * 5000 + b"hello world" + b"</div>" * 5000
    assert parse(data, filename="a.html").text == "hello world"
