"""The rules against 26 CLINC150 and 5 MRPC sentences, drawn at random and tagged by hand.

The rules were written before the sentences were drawn, and none was changed afterwards to fit
them. One author made both, so the numbers say how often the rules do what they are meant to.
"""

import pytest

from distillery.augmentation.word_classes import classes_of

_SHORT = {
    "d": "determiner",
    "p": "pronoun",
    "i": "preposition",
    "c": "conjunction",
    "x": "auxiliary",
    "q": "question",
    "m": "number",
    "'": "contraction",
    "r": "adverb",
    "a": "adjective",
    "n": "noun",
    "s": "plural",
    "v": "verb",
    "g": "verb_ing",
    "e": "verb_ed",
    "!": "interjection",
}
_QUESTIONS = """
at/i what/q point/n will/x i/p need/v another/d oil/n change/n
when/q did/x i/p last/r service/v my/d car/n with/i an/d oil/n change/n
add/v a/d reminder/n to/i check/v how/q the/d body/n is/x decomposing/g
refrain/v from/i talking/g
disconnect/v from/i my/d phone/n now/r
what's/' the/d balance/n on/i my/d sprint/n account/n
have/x i/p gotten/e confirmation/n for/i my/d credit/n card/n app/n
who/q pay/v your/d salary/n
what/q can/x i/p do/v in/i new/a orleans/n for/i fun/n
i/p jot/r got/e hired/e and/c need/v help/n with/i my/d retirement/n account/n
regarding/g my/d name/n whats/' it/p saved/e as/i
can/x i/p see/v my/d transactions/s on/i the/d 7th/m
change/v the/d response/n language/n to/i french/n please/!
how/q do/x i/p jump/v start/v the/d car/n
do/x i/p need/v to/i go/v under/i the/d car/n to/i change/v oil/n
how/q much/d will/x i/p pay/v in/i federal/a taxes/s
what's/' the/d routing/n number/n for/i my/d current/a savings/s
tell/v me/p my/d current/a location/n please/!
are/x the/d reviews/s good/a or/c bad/a for/i burger/n king/n
is/x yoga/n healthy/a
buy/v everything/p on/i my/d list/n
i/p want/v help/n rolling/g over/i my/d 401k/m
who/q were/x you/p invented/e by/i
can/x you/p tell/v me/p the/d current/a time/n
go/v back/r to/i factory/n settings/s please/!
could/x you/p help/v me/p out/i with/i a/d new/a renters'/s insurance/n plan/n
"""
_NEWS = """
Gamarekian/n told/e The/d News/n she/p remembers/v only/r the/d woman's/' first/m name/n and/c \
refused/e to/i reveal/v it/p
It/p was/x never/r our/d intention/n to/i sell/v the/d product/n said/e Health/n Minister/n Anne/n \
McClellan/n a/d skeptic/n of/i medical/a marijuana/n use/n
In/i after/i hours/s trading/n H/n P/n shares/s rose/e 62/m cents/s to/i 22/m 83/m after/i \
adding/g 56/m cents/s in/i the/d regular/a session/n
Samuel/n Waksal/n ImClone's/' former/a CEO/n recently/r began/e serving/g a/d prison/n sentence/n \
of/i more/r than/i seven/m years/s for/i securities/s fraud/n
He/p called/e on/i Prime/n Minister/n John/n Howard/n to/i establish/v a/d royal/a commission/n \
on/i child/n sex/n abuse/n
"""


def _accuracy(tagged: str) -> float:
    right = total = 0
    for line in tagged.strip().splitlines():
        pairs = [item.rsplit("/", 1) for item in line.split()]
        words = [word.rstrip("'") for word, _ in pairs]
        for found, (_, short) in zip(classes_of(words), pairs, strict=True):
            right += found == _SHORT[short]
            total += 1
    return right / total


def test_accuracy_on_questions() -> None:
    assert _accuracy(_QUESTIONS) == pytest.approx(0.938, abs=0.005)


def test_accuracy_on_news() -> None:
    assert _accuracy(_NEWS) == pytest.approx(0.870, abs=0.005)
