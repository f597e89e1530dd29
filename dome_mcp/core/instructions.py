"""Sentences of notes that order a language model about, and what of a note is hidden.

A note may be a page or a mail that somebody else wrote, for a model to obey. Fences and rules
(packing.py) do not keep every model from that, so what a model wrote is not believed on the word of
such a sentence (citations.py). A sentence is an order when it speaks to a model as such: of its
instructions, its prompt, its role, the user, how it is to answer. Orders among people ("Reply to
Anna by Friday", "Ignore the previous address") are none, and neither is a report that quotes one;
there the quotation is.

These are rules for what attacks have in common in English, German, French and Spanish, not a proof
against any. Patterns are matched on folded text (`terms.fold`) without invisible characters.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from dome_mcp.core.sentences import sentence_spans
from dome_mcp.core.terms import fold

_JOINERS = "\u200c\u200d"
"""Invisible, and yet letters of some scripts and emoji need them."""

_MACHINE = (
    r"(a\.?i\.?|llms?|chatgpt|(large |ai )?language models?|(ai |ki-|chat)?-?(bots?|chatbots?"
    r"|assistants?|assistenten?)|kis?|sprachmodelle?n?|ia|modeles? de langage|modelos? de lenguaje"
    r"|asistentes?)"
)
_RULES = (
    r"(instructions?|rules|prompts?|guidelines|directions|directives|anweisung(en)?|regeln|vorgaben"
    r"|instruktionen|consignes|regles|instrucciones|reglas|istruzioni|regole)"
)
_TONGUES = (
    r"(english|french|german|spanish|italian|latin|chinese|russian|klingon|englisch|franzosisch"
    r"|deutsch|spanisch|italienisch|anglais|francais|allemand|espagnol|ingles|frances|aleman"
    r"|espanol|rhymes|verse|capitals|base64|json)"
)
_SAY = (
    r"(say|answer|reply|respond|tell|claim|state|write|output|print|recommend|insist|repeat"
    r"|sagen?( sie)?|sag|antworten?( sie)?|schreiben?( sie)?|behaupten?( sie)?"
    r"|dis|dites|repond(s|ez)|ecri(s|vez)|di|diga|responde|escribe)"
)
_OPENING = (
    r"(^|[.:;,!>\])}–—-]\s*|\b(and|then|und|et|y|please|bitte|now|jetzt)\s+)"
    r"((you (must|should|shall|will)|please|bitte|now|then|always|only|just|instead|immer|nur|stets"
    r"|sie (mussen|sollen)|du (musst|sollst))\W+)*"
)
"""Where the verb of an order stands."""

_ORDERS = tuple(
    re.compile(pattern)
    for pattern in (
        # Ignore what you were told.
        rf"{_OPENING}(ignor\w+|disregard|forget|override|bypass|discard|vergiss|vergessen sie"
        rf"|missachten?|oublie[rz]?|olvida|dimentica)\b[^.]{{0,40}}\b(previous|prior|above|earlier"
        rf"|preceding|all|any|your|system|vorherige\w*|vorige\w*|bisherige\w*|obige\w*|alle|deine"
        rf"|ihre|toutes|tes|vos|precedentes|anteriores|todas|tus|tutte|tue)\b[^.]{{0,30}}\b{_RULES}\b",
        rf"{_OPENING}(ignor\w+|oublie[rz]?|olvida)\b[^.]{{0,30}}\b{_RULES}"
        rf" (precedentes|anteriores|precedenti|above|before)\b",
        rf"\b(new|updated|real|neue|nouvelles|nuevas) (system )?{_RULES}\s*:",
        # Dear assistant.
        rf"(^|[:.!(\[]\s*)\W*((dear|hey|hi|hello|attention|important|notice|(note|notice|message"
        rf"|instructions?|orders?|information) (to|for)|hinweis (fur|an)|anweisung(en)? (fur|an)"
        rf"|nachricht an|achtung|liebe[rs]?|hallo|an (alle|die|den|das)|(note|message"
        rf"|instructions?|consignes?) (pour|a)|cher|(nota|mensaje|instrucciones) para|querido"
        rf"|to)\W+)((the|any|all|every|you|your|die|das|den|alle|jede[ns]?|les|l'|el|la"
        rf"|los)\W+)*{_MACHINE}\b",
        rf"^\W*{_MACHINE}\s*[,:!]\s*\w",
        rf"\b(if|since|as) you are (an? |the )?{_MACHINE}\b|\bwenn (du|sie) (eine? )?{_MACHINE}\b",
        rf"\b(if|are) you an? {_MACHINE}\b|\bsi (tu es|vous etes|eres) (une? )?{_MACHINE}\b",
        rf"\b{_MACHINE} (must|should|shall|has to|have to|is to|muss|soll|doit|debe)\b[^.]{{0,30}}"
        rf"\b({_SAY}|ignore|cite|antworten|sagen|repondre|dire|responder|decir)\b",
        # You are somebody else now.
        r"\byou are (now|from now on|no longer) \w|\bdu bist (jetzt|nun|ab jetzt|ab sofort"
        r"|nicht mehr)\b|\btu es (maintenant|desormais)\b|\bahora eres\b",
        rf"{_OPENING}(pretend (to be|you are|that you)|act (as|like) (an? |the )?(evil|unrestricted"
        rf"|{_MACHINE}|dan|pirate|hacker|developer)|speak like (an? )\w+|enter \w+ mode)\b",
        r"\b(from now on|ab sofort|ab jetzt|desormais|a partir de ahora)\b[^.]{0,20}"
        r"\b(you|your|du|antwort\w*|tu|vous|repond\w*|respond\w*|responde\w*|speak|sprich)\b",
        r"\b(your|deine|ihre|votre|ta|tu) (new|real|actual|only|neue|eigentliche|einzige|nouvelle"
        r"|vraie|nueva|unica) (task|role|goal|objective|purpose|persona|aufgabe|rolle|tache|mission"
        r"|tarea|mision)( (is|ist|est|es)\b|\W*:)",
        # When asked about this, say that.
        rf"\b((when(ever)?|if) (you are |you're |ever )?asked|(when(ever)?|if) (the |a )?"
        rf"(user|reader|owner) asks|wenn [^.]{{0,40}}\bgefragt (wirst|werden|wird)|wenn (der|die"
        rf"|ein|eine) (be)?nutzer(in)? [^.]{{0,40}}\bfragt|(quand|si) (on (te|vous)|l'utilisateur)"
        rf" (le )?demande|(cuando|si) (te preguntan|te pregunten|el usuario pregunt[ae]))\b"
        rf"[^.]*\b{_SAY}\b",
        r"\bthe (correct |only |right |true )?(answer|reply|response) (to|for) (any|every|all|the"
        r" user's) questions?\b",
        # Answer like this.
        rf"{_OPENING}{_SAY}\b[^.]{{0,40}}(\b(only|exactly|nothing but|just|nur|ausschliesslich"
        rf"|genau|uniquement|seulement|solo|unicamente)( with| mit| par| con)?\b\W*(the (word"
        rf"|phrase|text|string|sentence)|das wort|den satz|le mot|la palabra|\")"
        rf"|\bwith the (word|phrase|sentence|text|string|following)\b|\bthe following\W*$"
        rf"|\bnothing else\b|\bnichts anderes\b|\brien d'autre\b|\bnada mas\b)",
        rf"{_OPENING}{_SAY} (only|nur|uniquement|solo|exactly|just) (with|mit|par|con|auf|in|en)\b",
        rf"{_OPENING}(answer|reply|respond|speak|antworte|antworten sie|sprich|repond(s|ez)"
        rf"|responde)( (only|always|nur|immer|toujours|siempre|every question|all questions"
        rf"|to the user|alle fragen))* (in|auf|en|em) {_TONGUES}\b",
        rf"{_OPENING}(end|begin|start|finish|beende|beginne|termine|commence) (every|each|all|your"
        rf"|jede|deine|chaque|tes) (answers?|repl(y|ies)|responses?|sentences?|antwort(en)?"
        rf"|reponses?)\b",
        # Give away, send away, do.
        r"\b(reveal|print|show|output|repeat|leak|disclose|expose|verrate?|zeige?|gib|affiche"
        r"|revele|muestra|revela)\b[^.]{0,40}\b((your|the|deine?n?|ton|tu) (system |hidden |full )?"
        r"(system ?prompt|prompt|instructions|anweisungen|rules|regeln)|system ?prompt|all (the"
        r" |your )?(other )?(notes|passages|passwords)|(every|the other|other) (note|passage)s?"
        r"|alle (anderen )?(notizen|passworter)|api[ -]keys?)\b",
        rf"{_OPENING}(append|include|add|embed|insert|render|display|put|attach|send|post|fuge|sende"
        rf"|ajoute|anade)\b[^.]{{0,80}}(!\[|https?://|\b(image|link|url|picture|bild|lien|enlace)\b)"
        rf"[^.]{{0,80}}\b(answers?|repl(y|ies)|responses?|antwort(en)?|reponses?|respuestas?)\b",
        rf"{_OPENING}(append|include|add|embed|insert|render|send|post)\b[^.]{{0,80}}"
        rf"(!\[|https?://\S+[?=]|(question|answer|notes|passages|password)[^.]{{0,40}}https?://)",
        r"\b(call|invoke|run|execute|use|rufe?)\b[^.]{0,20}\b\w+_\w+\W*(tool|function)\b",
        r"\b(call|invoke|use) the [\w ]{0,30}\b(tool|function) (to|with|and)\b",
        r"\bcite (only )?(passage|this passage|this note|[(\[]?\d+[)\]])|\bmark (this|it) as"
        r" (verified|supported|cited)\b|\b(this|the following) (passage|note) (overrides|supersedes"
        r"|replaces|is the only)\b",
        r"\b(do not|don't|never|without)\W+(mention|tell|reveal|warn|inform|informing|mentioning"
        r"|telling)\w*\b[^.]{0,30}\b(the (user|reader)|these? (instructions?|messages?|orders?))\b"
        r"|\bsag\w* (dem|der) (be)?nutzer\w* nichts\b",
        rf"{_OPENING}(tell|inform|warn|sag\w*|informier\w*|dis a|dites a|di al|dile al) (the user"
        rf"|dem (be)?nutzer|der (be)?nutzerin|l'utilisateur|usuario)\b",
        # Marks of a conversation.
        r"<\|\w+\|>|\[/?inst\]|<</?sys>>|</?(system|instructions?|assistant|tool_call|function_call"
        r"|prompt)>|\{\s*\"(tool|tools|tool_calls?|function|function_call)\"\s*:",
        r"^\W*(system|assistant|developer)[ _-](message|prompt|note|notice|update|override"
        r"|instruction)s?\b\W*:",
        rf"^\W*(system|assistant|developer|user|admin)\s*(?=[:>\]]){_OPENING}({_SAY}|you|ignore|obey"
        rf"|disregard|the (correct|new|real|right))\b",
    )
)
_QUOTED = re.compile(
    r"\"[^\"\n]+\"|“[^”“\n]+[”“]|„[^“”\n]+[“”]|«[^»\n]+»|`[^`\n]+`|(?<!\w)'[^'\n]+'(?!\w)"
)
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FEWEST_REPORTING = 3
"""Words outside a quotation that report it; with fewer the sentence is what it quotes."""
_WORD = re.compile(r"[^\W\d_]+")


def visible(text: str) -> str:
    """The text without characters that nobody sees: joins of words, tags, marks of direction."""
    return "".join(one for one in text if one in _JOINERS or unicodedata.category(one) != "Cf")


def without_orders(text: str, *, or_quoted: bool = False) -> str:
    """The text with blanks for the orders to a model in it, as long as before.

    An order takes the rest of its line with it, and one that ends with a colon its paragraph: who
    wrote the one wrote the other. A hidden comment with an order in it goes whole. With `or_quoted`
    the orders go too that a sentence reports.
    """
    text = _blanked(text, _hidden_orders(text))
    return _blanked(text, _orders_in(text, or_quoted=or_quoted))


def is_order(sentence: str) -> bool:
    """Whether a sentence orders a language model about, rather than report that."""
    return _orders(_outside_quotations(sentence))


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]
    return text


def _hidden_orders(text: str) -> Iterator[tuple[int, int]]:
    for found in _HIDDEN.finditer(text):
        inner = found[0].removeprefix("<!--").removesuffix("-->")
        if any(is_order(inner[start:end]) for start, end in sentence_spans(inner)):
            yield found.span()


def _orders_in(text: str, *, or_quoted: bool) -> Iterator[tuple[int, int]]:
    for start, end in sentence_spans(text):
        sentence = text[start:end]
        if is_order(sentence):
            rest = text.find("\n\n" if sentence.endswith(":") else "\n", end)
            yield start, len(text) if rest < 0 else rest
        elif or_quoted:
            for quoted in _QUOTED.finditer(sentence):
                if _orders(quoted[0][1:-1]):
                    yield start + quoted.start(), start + quoted.end()


def _outside_quotations(sentence: str) -> str:
    outside = _QUOTED.sub('""', sentence)
    return outside if len(_WORD.findall(outside)) >= _FEWEST_REPORTING else sentence


def _orders(text: str) -> bool:
    plain = "".join(one for one in text if unicodedata.category(one) != "Cf")
    folded = " ".join(fold(plain).replace("’", "'").split()).lstrip("\"'“„«`*_#>- ")
    return any(order.search(folded) for order in _ORDERS)
