"""What is printed of answers: how much of them is right, how much is missing, what they cost."""

import statistics
from collections import Counter
from collections.abc import Sequence

from benchmarks.answer_sets import Outcome, Part
from dome_mcp.core.model import Citation, Passage

_DEPTHS = (1, 8)
_BUCKETS = 5
_SHOWN = 110


def report(found: Sequence[Outcome]) -> None:
    """Prints the figures."""
    answerable = [one for one in found if one.asked.parts]
    unanswerable = len(found) - len(answerable)
    models = Counter(one.answer.model for one in found).most_common()
    _print("answers by", ", ".join(f"{model} ({count})" for model, count in models))
    _print("questions", f"{len(found)}, {unanswerable} without an answer")
    for depth in _DEPTHS:
        recall = sum(one.asked.proved(one.answer.passages[:depth]) for one in answerable)
        _print(f"retrieval recall at {depth}", _share(recall, len(answerable)))
    _print_cited("citation", found, [one.answer.citations for one in found])
    passages = [is_right for one in found for is_right in one.right_passages]
    _print("cited passage right", _share(sum(passages), len(passages)))
    _print_cited("top passage", found, [one.top for one in found])
    _print_abstention(found, unanswerable)
    _print("all as it should be", _share(sum(one.is_as_it_should_be for one in found), len(found)))
    _print_confidence(found)
    _print_cost(found)
    _print_warnings(found)


def explain(found: Sequence[Outcome]) -> None:
    """Prints what did not come out as it should."""
    for one in found:
        if one.is_as_it_should_be:
            continue
        print(f"\n{one.asked.question}\n  wanted {_listed(one.asked.parts)}")
        print(f"  got    {one.answer.text}")
        for citation, is_right in zip(one.answer.citations, one.right, strict=True):
            where = f"{citation.title}, page {citation.page}"
            print(f"  {'right' if is_right else 'wrong'}  {_short(citation.quote)} ({where})")
        for passage in one.answer.passages[:2]:
            print(f"  near   {_short(passage.text)} ({passage.title}, page {passage.page})")


def _print_cited(
    name: str, found: Sequence[Outcome], cited: Sequence[Sequence[Citation | Passage]]
) -> None:
    """Precision over all that is cited, recall over all that has an answer."""
    pairs = list(zip(found, cited, strict=True))
    right = [is_right for one, each in pairs for is_right in one.asked.right(each)]
    proved = sum(one.asked.proved(each) for one, each in pairs)
    answerable = sum(bool(one.asked.parts) for one in found)
    _print_balance(name, sum(right), len(right), proved, answerable)


def _print_abstention(found: Sequence[Outcome], unanswerable: int) -> None:
    abstained = [one for one in found if not one.answer.answered]
    rightly = sum(not one.asked.parts for one in abstained)
    if unanswerable:
        _print_balance("abstention", rightly, len(abstained), rightly, unanswerable)
    else:
        _print("abstained", _share(len(abstained), len(found)))


def _print_balance(name: str, right: float, given: int, proved: float, wanted: int) -> None:
    precision, recall = right / max(1, given), proved / max(1, wanted)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    _print(f"{name} precision", _share(right, given))
    _print(f"{name} recall", _share(proved, wanted))
    _print(f"{name} F1", f"{f1:.3f}")


def _print_confidence(found: Sequence[Outcome]) -> None:
    """Of the answers in each fifth of the scale, the share that cites something right."""
    answered = [one for one in found if one.answer.answered]
    for bucket in range(_BUCKETS):
        right = [any(one.right) for one in answered if _bucket(one) == bucket]
        low, high = bucket / _BUCKETS, (bucket + 1) / _BUCKETS
        _print(f"confidence {low:.1f} to {high:.1f}", _share(sum(right), len(right)))


def _bucket(one: Outcome) -> int:
    return min(_BUCKETS - 1, int(one.answer.confidence * _BUCKETS))


def _print_cost(found: Sequence[Outcome]) -> None:
    timings = [one.answer.timing for one in found if one.answer.timing]
    _print_spread("seconds", [one.seconds for one in found], ".3f")
    _print_spread("seconds to find", [timing.search for timing in timings], ".3f")
    _print_spread("seconds to answer", [timing.answer for timing in timings], ".3f")
    counts = [one.answer.tokens for one in found if one.answer.tokens]
    _print_spread("tokens read", [each.prompt for each in counts if each.prompt], ".0f")
    _print_spread("tokens written", [each.completion for each in counts if each.completion], ".0f")


def _print_warnings(found: Sequence[Outcome]) -> None:
    # What follows a colon is the sentence that is warned of.
    warnings = Counter(text.partition(":")[0] for one in found for text in one.answer.warnings)
    for warning, count in warnings.most_common():
        _print("warned", f"{count} times: {warning}")


def _print_spread(name: str, values: Sequence[float], form: str) -> None:
    if len(values) > 1:
        p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
        _print(name, f"p50 {statistics.median(values):{form}}, p95 {p95:{form}}")


def _print(name: str, value: str) -> None:
    print(f"{name:<22} {value}")


def _share(part: float, whole: int) -> str:
    return f"{part / whole:.3f} ({round(part, 1):g} of {whole})" if whole else "none"


def _listed(parts: Sequence[Part]) -> str:
    return " and ".join(map(str, parts)) or "no answer"


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
