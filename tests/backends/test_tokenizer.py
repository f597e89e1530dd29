"""Token ids, against those that BERT's published tokenizer gives."""

import json
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from dome_mcp.backends.embedded.tokenizer import Tokenizer

CARRIED = CARRIED_FOLDER / "tokenizer.json"


def with_processor(folder: Path, processor: object) -> Path:
    """The carried tokenizer with another post-processor."""
    path = folder / "tokenizer.json"
    definition = json.loads(CARRIED.read_text(encoding="utf-8")) | {"post_processor": processor}
    path.write_text(json.dumps(definition), encoding="utf-8")
    return path


def test_a_text_gets_the_ids_of_the_published_vocabulary_between_its_special_tokens() -> None:
    tokenizer = Tokenizer(CARRIED, max_tokens=256)
    assert tokenizer.encode("Hello, world!") == [101, 7592, 1010, 2088, 999, 102]
    assert tokenizer.encode("") == [101, 102]


def test_accents_and_case_are_folded_and_words_are_taken_apart() -> None:
    tokenizer = Tokenizer(CARRIED, max_tokens=256)
    assert tokenizer.encode("CAFÉ") == tokenizer.encode("cafe")
    assert len(tokenizer.encode("antidisestablishmentarianism")) > 4


def test_a_long_text_is_cut_and_keeps_its_last_special_token() -> None:
    ids = Tokenizer(CARRIED, max_tokens=10).encode("word " * 50)
    assert len(ids) == 10
    assert (ids[0], ids[-1]) == (101, 102)


def test_what_looks_like_a_special_token_is_plain_text() -> None:
    assert 102 not in Tokenizer(CARRIED, max_tokens=256).encode("a [SEP] b")[:-1]


def test_two_texts_are_told_apart_by_their_types_and_only_the_second_is_cut() -> None:
    tokenizer = Tokenizer(CARRIED, max_tokens=8)
    assert tokenizer.encode_pair("hello", "world") == (
        [101, 7592, 102, 2088, 102],
        [0, 0, 0, 1, 1],
    )
    ids, types = tokenizer.encode_pair("hello hello", "world " * 50)
    assert ids == [101, 7592, 7592, 102, 2088, 2088, 2088, 102]
    assert types == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_question_may_be_longer_than_half_where_the_text_leaves_room() -> None:
    tokenizer = Tokenizer(CARRIED, max_tokens=9)
    assert tokenizer.encode_pair("hello " * 50, "world")[0].count(7592) == 5
    ids = tokenizer.encode_pair("hello " * 50, "world " * 50)[0]
    assert (len(ids), ids.count(7592), ids.count(2088)) == (9, 3, 3)


BERT = {"type": "BertProcessing", "cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}
BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": True,
    "trim_offsets": True,
    "use_regex": True,
}


@pytest.mark.parametrize(
    "processor",
    [
        BERT,
        {**BERT, "type": "RobertaProcessing", "add_prefix_space": True, "trim_offsets": True},
        {"type": "Sequence", "processors": [BYTE_LEVEL, BERT]},
    ],
)
def test_every_kind_of_post_processor_puts_its_special_tokens_around_a_text(
    processor: object, tmp_path: Path
) -> None:
    tokenizer = Tokenizer(with_processor(tmp_path, processor), max_tokens=256)
    assert tokenizer.encode("world") == [101, 2088, 102]


def test_a_model_without_special_tokens_gets_none(tmp_path: Path) -> None:
    tokenizer = Tokenizer(with_processor(tmp_path, None), max_tokens=256)
    assert tokenizer.encode("world") == [2088]


ROBERTA = {**BERT, "type": "RobertaProcessing", "add_prefix_space": True, "trim_offsets": True}
XLM_ROBERTA = {
    "type": "TemplateProcessing",
    "single": [],
    "pair": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ],
    "special_tokens": {"<s>": {"ids": [101]}, "</s>": {"ids": [102]}},
}
BERT_PAIR = [101, 7592, 102, 2088, 102], [0, 0, 0, 1, 1]
ROBERTA_PAIR = [101, 7592, 102, 102, 2088, 102], [0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("processor", "pair"),
    [
        (BERT, BERT_PAIR),
        (ROBERTA, ROBERTA_PAIR),
        (XLM_ROBERTA, ROBERTA_PAIR),
        ({"type": "Sequence", "processors": [BYTE_LEVEL, ROBERTA]}, ROBERTA_PAIR),
    ],
)
def test_every_kind_of_post_processor_puts_two_texts_together(
    processor: object, pair: object, tmp_path: Path
) -> None:
    tokenizer = Tokenizer(with_processor(tmp_path, processor), max_tokens=256)
    assert tokenizer.encode_pair("hello", "world") == pair


def test_a_model_that_foresees_no_pair_gets_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two texts"):
        Tokenizer(with_processor(tmp_path, None), max_tokens=256).encode_pair("hello", "world")
