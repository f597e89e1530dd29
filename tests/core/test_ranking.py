"""The fused order: what counts, what is left out, and what never changes."""

from typing import get_args

from dome_mcp.core.model import SearchMode
from dome_mcp.core.ranking import PASSAGES_PER_NOTE, POOL, Candidate, fuse, pool_size


def candidate(
    name: str, *, keyword: float | None = None, semantic: float | None = None, note: str = ""
) -> Candidate:
    return Candidate(name, note or f"note-{name}", 0, keyword, semantic)


def order(
    candidates: list[Candidate], *, mode: SearchMode, query: str = "lighthouse keeper"
) -> list[str]:
    return [item.chunk_id for item, _ in fuse(candidates, query=query, mode=mode)]


def test_a_passage_that_both_searches_found_comes_before_those_of_one():
    found = [
        candidate("words", keyword=9.0, semantic=0.1),
        candidate("meaning", semantic=0.8),
        candidate("both", keyword=8.0, semantic=0.7),
        candidate("neither", keyword=1.0, semantic=0.1),
    ]
    assert order(found, mode="hybrid")[0] == "both"


def test_the_search_that_singles_a_passage_out_has_the_say():
    alike = [candidate(f"m{at}", semantic=0.40 + at / 1000) for at in range(20)]
    found = [*alike, candidate("exact", keyword=7.0, semantic=0.40)]
    assert order(found, mode="hybrid")[0] == "exact"


def test_a_single_keyword_match_outranks_what_does_not_match():
    found = [candidate("match", keyword=3.0), candidate("other", semantic=0.2)]
    assert order(found, mode="hybrid")[0] == "match"


def test_what_is_beyond_a_full_keyword_list_counts_as_its_last():
    listed = [candidate(f"k{at:03}", keyword=1000.0 + at, semantic=0.1) for at in range(1, POOL)]
    last = candidate("last", keyword=1000.0, semantic=0.30)
    beyond = candidate("beyond", semantic=0.31)
    ranked = order([*listed, last, beyond], mode="hybrid")
    assert ranked.index("beyond") < ranked.index("last")


def test_a_quoted_query_leans_on_the_words():
    found = [
        candidate("worded", keyword=9.0, semantic=0.2),
        candidate("meant", keyword=4.0, semantic=0.9),
        candidate("last", keyword=1.0, semantic=0.1),
    ]
    assert order(found, query="lighthouse keeper", mode="hybrid")[0] == "meant"
    assert order(found, query='"lighthouse keeper"', mode="hybrid")[0] == "worded"


def test_without_vectors_hybrid_orders_as_keyword_does():
    found = [candidate("a", keyword=1.0), candidate("b", keyword=5.0), candidate("c", keyword=3.0)]
    assert order(found, mode="hybrid") == order(found, mode="keyword") == ["b", "c", "a"]


def test_without_keyword_matches_hybrid_orders_as_semantic_does():
    found = [candidate("a", semantic=0.1), candidate("b", semantic=0.5)]
    assert order(found, mode="hybrid") == order(found, mode="semantic") == ["b", "a"]


def test_each_mode_keeps_only_what_its_search_found():
    found = [candidate("word", keyword=1.0), candidate("sense", semantic=0.5)]
    assert order(found, mode="keyword") == ["word"]
    assert order(found, mode="semantic") == ["sense"]
    assert set(order(found, mode="hybrid")) == {"word", "sense"}


def test_scores_stay_between_zero_and_one_and_never_rise_along_the_list():
    found = [
        candidate("a", keyword=12.0, semantic=-0.2),
        candidate("b", keyword=0.5, semantic=0.9),
        candidate("c", semantic=-0.5),
        candidate("d", keyword=3.0),
    ]
    for mode in get_args(SearchMode):
        scores = [score for _, score in fuse(found, query="x", mode=mode)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
    assert fuse(found, query="x", mode="hybrid")[0][1] == 1.0


def test_equal_passages_are_ordered_by_id_whatever_order_they_come_in():
    found = [candidate(name, keyword=2.0, semantic=0.3) for name in "dbca"]
    assert order(found, mode="hybrid") == order(found[::-1], mode="hybrid") == list("abcd")


def test_a_lone_candidate_has_the_full_score():
    assert fuse([candidate("a", semantic=0.3)], query="x", mode="hybrid")[0][1] == 1.0


def test_nothing_found_gives_an_empty_list():
    for mode in get_args(SearchMode):
        assert fuse([], query="x", mode=mode) == []


def test_a_long_note_does_not_crowd_out_the_others():
    crowd = [candidate(f"long-{at}", keyword=9.0 - at / 100, note="long") for at in range(9)]
    found = [*crowd, candidate("other", keyword=8.0), candidate("weak", keyword=0.5)]
    ranked = order(found, mode="keyword")
    assert ranked.index("other") == PASSAGES_PER_NOTE
    assert ranked[-1] == "weak"


def test_the_passages_of_an_only_note_keep_their_order():
    found = [candidate(f"{at:02}", keyword=50.0 - at, note="only") for at in range(20)]
    assert order(found, mode="keyword") == [item.chunk_id for item in found]


def test_the_first_pages_share_one_pool_and_later_ones_have_room():
    assert pool_size(10) == pool_size(50) == POOL
    assert all(pool_size(wanted) >= 2 * wanted for wanted in range(1, 1100, 37))
