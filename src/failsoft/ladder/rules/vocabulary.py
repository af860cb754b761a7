"""What a question is about: its words without the small ones, cut to their stems."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator

from failsoft.errors import extra
from failsoft.forks import in_every_child

__all__ = ["Vocabulary"]

# Whatever is no space and no punctuation: \w would break words of Hindi or Thai at their vowels.
_WORD = re.compile(
    r"[^\s!-&(-/:-@\[-`{-~\u00a1-\u00bf\u060c\u061b\u061f\u0964\u0965"
    r"\u2000-\u2018\u201a-\u206f\u2190-\u2bff\u3000-\u303f]+"
)
# Scripts written without spaces: every two neighbours count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
_APOSTROPHE = "\u2019"
_SHORT = 3
_MOST_STEMS = 20_000
_SNOWBALL = """
    ar:arabic ca:catalan cs:czech da:danish de:german el:greek en:english es:spanish et:estonian
    eu:basque fa:persian fi:finnish fr:french ga:irish hi:hindi hu:hungarian hy:armenian
    id:indonesian it:italian lt:lithuanian nb:norwegian ne:nepali nl:dutch nn:norwegian
    no:norwegian pl:polish pt:portuguese ro:romanian ru:russian sr:serbian sv:swedish ta:tamil
    tr:turkish yi:yiddish
"""
_STEMMERS = dict(pair.split(":") for pair in _SNOWBALL.split())
_SMALL = {
    "en": """
        a about all am an and any anyone anything are as at be because been being but by can cannot
        could did do does doing done for from get gets getting give go goes going got had has have
        having he hello her here hers hey hi him his how however i if in into is it its just kindly
        know let like look looking make many may maybe me might mine more most much must my need
        needs no nor not now of off ok okay on one only or other our ours out over own please
        possible really say says see shall she should show since so some somebody someone something
        still such sure take tell than thank thanks that the their them then there these they thing
        things this those through till to until too try trying up us use very via want wanted wants
        was way we well were what whatever when where whether which while who whom whose why will
        wish with within without wonder wondering would yes yet you your yours isn't don't doesn't
        didn't can't couldn't won't wouldn't haven't hasn't hadn't aren't wasn't weren't shouldn't
        i'm i've i'd i'll it's that's there's what's where's who's when's how's you're we're
        they're let's dont cant wont isnt didnt doesnt havent im ive whats wheres hows
    """,
    "de": """
        aber alle als also am an auch auf aus bei bin bis bitte da damit dann das dass dein dem den
        denn der des die dies diese dieser doch dort du durch ein eine einem einen einer eines er es
        etwas euch euer für gibt habe haben hallo hat hatte ich ihm ihn ihr ihre ihren im in ins ist
        ja jetzt kann kannst kein keine können könnte machen man mehr mein meine meinem meinen
        meiner mich mir mit möchte muss müssen nach nicht noch nun nur ob oder ohne schon sein seine
        sich sie sind so soll über um und uns unser vom von war warum was wann weil welche wem wen
        wenn wer werde werden wie wieso will wird wo wohin wurde zu zum zur
    """,
    "es": """
        a al algo alguien como cómo con cuál cuales cuando cuándo de del desde donde dónde el él
        ella en entre era es esa ese eso esta está están este esto fue gracias ha hacer han has hay
        he hola la las le les lo los me mi mis muy necesito no nos o para pero por porque puede
        puedo que qué quién quiero se ser si sí sin sobre son soy su sus te tengo tiene tu tus un
        una uno unos usted y ya yo
    """,
    "fr": """
        a ai au aux avec avez avoir bonjour ça car ce cela ces cet cette chez comment dans de des
        donc du elle en est et été être eu faire fait faut il ils je j'ai la là le les leur lui ma
        mais me merci mes moi mon ne nos notre nous on ont ou où par pas peut peux plus pour
        pourquoi puis qu'est qu que quel quelle quand qui quoi sa sans se ses si son sont suis sur
        ta te tes toi ton tous tout tu un une va veux voici voilà vos votre vous y
    """,
}


class Vocabulary:
    """Finds the words that carry a question's meaning. Safe under threads.

    Stems are kept: working one out in pure Python takes about 30 µs.
    """

    def __init__(self) -> None:
        self._stemmers: dict[str, Callable[[str], str]] = {}
        self._small: dict[str, frozenset[str]] = {}
        self._stems: dict[tuple[str, str], str] = {}
        self._working = threading.Lock()
        in_every_child(self._forked)

    def content(self, text: str, locale: str) -> frozenset[str]:
        """The stems of the words that are not small ones, in the language of ``locale``."""
        language = locale.partition("-")[0]
        with self._working:
            small = self._small_words(language)
            return frozenset(
                self._stem(language, word) for word in _words(text) if not _is_small(word, small)
            )

    def _forked(self) -> None:
        self._working = threading.Lock()

    def _small_words(self, language: str) -> frozenset[str]:
        if language not in self._small:
            words = _SMALL.get(language, "").replace("'", _APOSTROPHE)
            self._small[language] = frozenset(words.split())
        return self._small[language]

    def _stem(self, language: str, word: str) -> str:
        if len(self._stems) >= _MOST_STEMS:
            self._stems.clear()
        found = self._stems.get((language, word))
        if found is None:
            found = self._stems[language, word] = self._stemmer(language)(word)
        return found

    def _stemmer(self, language: str) -> Callable[[str], str]:
        if language not in self._stemmers:
            self._stemmers[language] = _make_stemmer(language)
        return self._stemmers[language]


def _make_stemmer(language: str) -> Callable[[str], str]:
    if language not in _STEMMERS:
        return str
    with extra("rules", "a folder of rules (rules_dir or RuleBook)"):
        import snowballstemmer  # noqa: PLC0415 - a fifth of a second, for those who have rules

    stem: Callable[[str], str] = snowballstemmer.stemmer(_STEMMERS[language]).stemWord
    return stem


def _words(text: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", _APOSTROPHE)
    for found in _WORD.findall(folded):
        word = found.strip(_APOSTROPHE)
        rest = _UNSPACED.sub(" ", word)
        yield from rest.split()
        for run in _UNSPACED.findall(word):
            yield from (run[at : at + 2] for at in range(max(1, len(run) - 1)))


def _is_small(word: str, small: frozenset[str]) -> bool:
    """Where there is no list of small words, short ones are taken for small."""
    if small:
        return word in small
    return len(word) <= _SHORT and not _UNSPACED.match(word)
