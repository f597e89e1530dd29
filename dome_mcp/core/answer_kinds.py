"""The kinds of answer that questions ask for, by the words they use in several languages.

All patterns are matched on folded text (`terms.fold`): lower case, no accents.
"""

import re
from enum import StrEnum

from dome_mcp.core.terms import fold


class AnswerKind(StrEnum):
    """What an answer has to have in it; `OTHER` asks for nothing in particular."""

    MONEY = "money"
    AGE = "age"
    WEIGHT = "weight"
    QUANTITY = "quantity"
    DURATION = "duration"
    """A length of time or, where that is what "how long" means, of a thing."""
    TIME = "time"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    DEFINITION = "definition"
    CONDITION = "condition"
    """What makes something be called by a name: "When is a set called open?"."""
    NAME = "name"
    """What something is called."""
    UUID = "uuid"
    OTHER = "other"


KIND_OF = {
    AnswerKind.DURATION: AnswerKind.QUANTITY,
    AnswerKind.UUID: AnswerKind.QUANTITY,
    AnswerKind.NAME: AnswerKind.OTHER,
}
"""The kinds that are a case of another one: what is so of that is so of them."""
CALENDAR_WORDS = frozenset(
    " ".join(
        (
            "january february march april may june july august september october november december",
            "monday tuesday wednesday thursday friday saturday sunday",
            "januar februar marz mai juni juli oktober dezember",
            "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag",
            "janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre",
            "lundi mardi mercredi jeudi vendredi samedi dimanche",
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre",
            "diciembre lunes martes miercoles jueves viernes sabado domingo",
        )
    ).split()
)
"""Months and weekdays, folded: written with a capital in English, and yet no names."""

# The first row that fits decides.
_ASKS: tuple[tuple[AnswerKind, re.Pattern[str]], ...] = (
    (
        AnswerKind.CONDITION,
        re.compile(
            r"\bwann (heisst|heissen|nennt man|bezeichnet man|spricht man von)\b"
            r"|\bwhen (is|are) (an?|the) .*\bcalled (an? )?(?!off\b|in\b|out\b|back\b)[\w-]+\W*$"
        ),
    ),
    (
        AnswerKind.NAME,
        re.compile(
            r"^\W*wie (heisst|heissen|nennt man|lautet( \w+){0,3} name)\b"
            r"|\b(unter|mit) welche[mn]( \w+)? namen?\b|\bwhat do (you|we|they|people) call\b"
            r"|\bwhat (is|are|was|were) .*\b(called|known as)\W*$"
            r"|\b(other|another|second|alternative|anderer|anderen|weiterer|zweiter) names?\b"
        ),
    ),
    (AnswerKind.UUID, re.compile(r"\b(uuid|guid)s?\b")),
    (
        AnswerKind.TIME,
        re.compile(
            r"\b(when|(what|which) (date|day|time|year|month|week)|wann|wie spat|um wie viel uhr"
            r"|welche[mnrs]? (tag|datum|jahr|monat)|quand|quelle heure|cuando|quando|wanneer)\b"
            r"|何時|いつ|什么时候|언제"
        ),
    ),
    (AnswerKind.AGE, re.compile(r"\b(how old|wie alt|quel age|cuantos anos)\b|何歳|几岁")),
    (
        AnswerKind.WEIGHT,
        re.compile(r"\b(how heavy|how much do(es)?\b.* weigh|wie schwer|combien pese)\b"),
    ),
    (
        AnswerKind.MONEY,
        re.compile(
            r"\bhow much (is|are|was|were|did|do|does)\b.* (cost|costs|pay|paid|price|fee|rent)\b"
            r"|\bhow much money\b|\bwie ?viel geld\b"
            r"|\b(price|cost|costs) of\b|\b(was kostet|wie teuer|combien coute|cuanto cuesta)\b"
            r"|いくら|多少钱"
        ),
    ),
    (
        AnswerKind.DURATION,
        re.compile(
            r"\bhow long\b(?! ago)|\bwie lang(e[mnrs]?)?\b|\bcombien de temps\b"
            r"|\bcuanto tiempo\b|\bquanto tempo\b"
        ),
    ),
    (
        AnswerKind.QUANTITY,
        re.compile(
            r"\bhow (many|much|long|far|tall|big|often|high|deep|large|wide|fast)\b"
            r"|\bwie ?(viele?|vielen|hoch|gross|weit|oft|tief|breit)\b"
            r"|\b(what|which) ([\w-]+ )?(pressure|temperature|size|height|length|width|speed"
            r"|distance|percentage|voltage|power|number|amount|dose|dosage|rate)\b"
            r"|\b(combien|cuant[oa]s?|quant[oai]s?|hoeveel)\b|多少|얼마"
        ),
    ),
    (
        AnswerKind.PERSON,
        re.compile(
            r"^\W*((by|to|with|from|von|mit) )?"
            r"(who|whom|whose|wer|wem|wen|wessen|qui|quien|chi)\b|誰|谁"
            r"|\b(what|which) (author|person)s?\b|\bwelche[rn]? (autor|verfasser)(in|en)?\b"
            r"|\bname[sn]? (of the|de[rs]) (author|autor|verfasser)"
        ),
    ),
    (
        AnswerKind.PLACE,
        re.compile(r"\b(where|wo|wohin|woher|donde|onde|dove|waar)\b|^\W*ou\b|どこ|哪里"),
    ),
    (
        AnswerKind.REASON,
        re.compile(r"\b(why|warum|wieso|weshalb|pourquoi|por que|perche|waarom)\b|なぜ|为什么"),
    ),
    (
        AnswerKind.DEFINITION,
        re.compile(
            r"^\W*(what (is|are)|what's|was (ist|sind)|qu'est-ce qu(e|'une?)|que es)"
            r"(( (a|an|eine?|une?|the|der|die|das))( [\w-]+){1,2}| [\w-]+)\W*$"
            r"|\bwhat does .* mean\b|\bwhat is meant by\b|\bwas versteht man unter\b"
        ),
    ),
)

# They open clauses as well: "What is due when the tenant leaves?" asks for no time.
_CLAUSE_WORDS = frozenset(("when", "where", "wo", "quand", "quando", "cuando", "donde", "dove"))
_QUESTION_WORD = re.compile(
    r"\b(what|which|who|whom|whose|how|why|was|welche[mnrs]?|wer|wem|wen|wessen|wie|warum)\b"
)

_NUMBER = (
    r"(\d|[一二三四五六七八九十百千万]"
    r"|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|thousand"
    r"|half|once|twice|none|both|single|dozens?|million|billion"
    r"|ein|eine|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|elf|zwolf|zwanzig|dreissig"
    r"|hundert|tausend|millionen|beide[nrs]?|kein(e[mnrs]?)?|(ein|zwei|drei)mal|halbe[nrs]?"
    # Inflected, they are articles, unless they count something.
    r"|(hochstens|mindestens|genau|nur|lediglich|je|pro|bis zu) eine[mnrs]"
    r"|deux|trois|quatre|cinq|dos|tres|cuatro|cinco)\b"
    r"|[=≤≥<>√]\s*π|\b(gleich|ist|is|equals) π|√)"
)
_UNIT = (
    r"\b(secs?|seconds?|mins|minutes?|hrs?|hours?|days?|nights?|weeks?|months?|years?|decades?"
    r"|terms?|semesters?|centur(y|ies)|sekunden?|minuten?|std|stunden?|tage?n?|nachte?n?|wochen?"
    r"|monate?n?|jahre?n?|jahrzehnte?n?|jahrhunderte?n?|heures?|jours?|semaines?|mois|ans"
    r"|horas?|dias?|semanas?|meses|anos"
    r"|(centi|milli|kilo|zenti)?met(er|re)s?|metern|inch(es)?|feet|foot|miles?)\b"
)
_SHOWS: dict[AnswerKind, re.Pattern[str]] = {
    AnswerKind.TIME: re.compile(
        rf"\d|\b({'|'.join(sorted(CALENDAR_WORDS))})s?\b"
        r"|\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b"
        r"|\b(today|tonight|tomorrow|yesterday|weeks?|weekend|months?|years?|ago|morning"
        r"|evening|night|daily|heute|gestern|morgen|woche|mitte|ende|anfang|abends)\b|[月日時年]"
    ),
    AnswerKind.AGE: re.compile(
        rf"{_NUMBER}[ -]*(years?|yrs?|months?|weeks?|jahre?|monate?|ans|anos)\b"
        r"|\b(born|turns|turned|birthday|geboren|geb|nee?)\b|\b(age|alter): \d|歳|岁|年齢|年龄"
    ),
    AnswerKind.WEIGHT: re.compile(
        rf"{_NUMBER}\s*(kg|g|kilos?|grams?|gramm|lbs?|pounds?|oz|t|tons?|tonnen)\b"
    ),
    AnswerKind.MONEY: re.compile(
        r"[€$£¥₹円元]|\b(eur|euros?|usd|gbp|chf|dollars?|pounds?|francs?|cents?|kr|pln|yen|free"
        r"|costs?|price|kostenlos|kostenfrei|gratis|umsonst)\b"
    ),
    AnswerKind.QUANTITY: re.compile(
        rf"{_NUMBER}|\b(an?|every|per|jede[nrs]?) (second|minute|hour|day|night|week|month|year"
        r"|sekunde|stunde|tag|woche|monat|jahr)\b|\b(daily|weekly|monthly|yearly)\b"
    ),
    AnswerKind.DURATION: re.compile(
        rf"{_NUMBER}[\w.,-]{{0,12}}( \S{{1,20}}){{0,2}}? {_UNIT}"
        r"|\d ?(s|min|h|[cmk]?m)\b|\d ?[x×] ?\d|\d ?[分時日週月年]"
        r"|\b(min|minutes|h|hours|days|weeks|months|years|[cmk]?m)\)?: \d"
        r"|\b(an?|all|per|ein(e[mnrs]?)?|ganze[nrs]?) (second|minute|hour|day|night|week|month"
        r"|year|sekunde|stunde|tag|nacht|woche|monat|jahr)"
        r"|\b(until|till|since|bis|seit|forever|always|immer|overnight|ganztags|(un)?befristet"
        r"|unlimited|permanent|permanently|lebenslang)\b|\bfrom\b.{1,60}\bto\b"
    ),
    AnswerKind.REASON: re.compile(
        r"\b(because|since|due to|so that|in order|as a result|therefore|reasons?|to avoid"
        r"|weil|da|denn|wegen|damit|deshalb|grund|parce|car|afin|porque|por|perche)\b"
        r"|ため|から|因为"
    ),
    AnswerKind.DEFINITION: re.compile(
        r"\b(is|are|means?|refers to|stands for|(is|are) called|serves as|ist|sind|heisst|heissen"
        r"|bedeutet|bezeichnet|nennt man|est|sont|es|son)\b"
    ),
    AnswerKind.UUID: re.compile(r"\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b"),
    AnswerKind.PLACE: re.compile(
        r"\b(in|at|on|near|from|to|under|behind|beside|next to|inside|im|am|auf|bei|aus|nach"
        r"|unter|neben|hinter|vor|dans|en|sur|chez|a)\b|[にでへ]|在|住所|地址|https?:"
    ),
}


def answer_kind(question: str) -> AnswerKind:
    """What the question word asks for."""
    folded = fold(question)
    found = ((kind, asks.search(folded)) for kind, asks in _ASKS)
    asked = (kind for kind, match in found if match and not _is_clause(folded, match))
    return next(asked, AnswerKind.OTHER)


def _is_clause(question: str, match: re.Match[str]) -> bool:
    """Whether "when", "where" or "wo" opens a clause of something asked by another word."""
    if match[0] not in _CLAUSE_WORDS:
        return False
    return _QUESTION_WORD.search(question, 0, match.start()) is not None


def shown_at(kind: AnswerKind, text: str) -> int | None:
    """Where the folded text first has what an answer of this kind needs; None where nowhere."""
    found = _SHOWS[kind].search(fold(text)) if kind in _SHOWS else None
    return found.start() if found else None
