"""Finds words that must not appear in a text for a person, in every language and in one.

An ordinary word may be jargon elsewhere: "null" is German for zero, "llama" Spanish for "calls".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

__all__ = ["EVERYWHERE", "OF_LANGUAGE", "still_trying", "unfit_words"]


_EXCEPTION: Final = "the text of an exception"
_NAME: Final = "the name of a provider, a model or their software"
_JARGON: Final = "jargon"

EVERYWHERE: Final[Mapping[str, str]] = {
    "a status code": r"(?<!\d)[45\uff14\uff15\u0664\u0665](\d\d|xx)(?!\d)",
    "a numbered error": r"\berror\W{0,2}(code\b|#|\d)",
    _EXCEPTION: (
        r"(?-i:\b[A-Za-z]*[a-z](Error|Exception)\b)|\btraceback\b|\berrno\b|\bstack ?trace\b"
        r"|\b0x[0-9a-f]+\b|\bNoneType\b|\[object object\]|\bfailed to fetch\b"
    ),
    _NAME: (
        r"\b(anthropic|claude|opus|sonnet|haiku|open-?ai|(chat-?)?gpt\w*|gemini|vertex|google"
        r"|bedrock|amazon|aws|azure|microsoft|mistral|groq|grok|cohere|deepseek|qwen|ollama"
        r"|litellm|langchain|hugging ?face|httpx2?|aiohttp|uvicorn|fastapi|redis|failsoft)\b"
    ),
    _JARGON: (
        r"\b(apis?|sdks?|https?|json|html|urls?|dns|tls|ssl|tcp|sse|llms?|cpu|tokens?|servers?"
        r"|backend|frontend|time-?outs?|streaming|proxy|proxies|gateways?|webhooks?)\b"
    ),
}

OF_LANGUAGE: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        _NAME: r"\b(llama|meta)\b",
        _JARGON: (
            r"\b(timed out|rate[ -]limit(s|ed|ing)?|quotas?|throttl\w+|upstream|endpoints?"
            r"|payloads?|databases?|latency|circuit|breakers?|retr(y|ies|ied|ying)|null|undefined"
            r"|nan|exceptions?|invalid|unauthori[sz]ed|forbidden|credentials?|authenticat\w+"
            r"|authori[sz]\w+|parameters?|config\w*|sockets?|debug\w*|crash\w*|runtime|internal"
            r"|fatal|abort\w*|prompts?|cache[ds]?|streams?|context window)\b"
        ),
    },
    "es": {
        _JARGON: (
            r"\b(servidor(es)?|tiempo de espera|c[óo]digo de (estado|error)|l[íi]mite de"
            r" (velocidad|solicitudes|peticiones|tasa)|pasarelas?|base de datos|latencia"
            r"|credencial(es)?|autenticaci[óo]n|excepci[óo]n(es)?"
            r"|par[áa]metros?|inv[áa]lid[oa]s?|intern[oa]s?|cach[ée]|modelos? de lenguaje"
            r"|ventana de contexto)\b"
        ),
    },
    "de": {
        _JARGON: (
            r"\b(\w*server\w*|zeit(limit|überschreitung)\w*|(status|fehler)code\w*|schnittstelle\w*"
            r"|anfragelimit\w*|ratenbegrenzung\w*|\w*drossel\w*|endpunkt\w*|datenbank\w*|latenz\w*"
            r"|zugangsdaten|authentifizier\w+|autorisier\w+|ausnahmefehler\w*|parameter\w*"
            r"|konfig\w*|ungültig\w*|intern(e[mnrs]?)?|ab(sturz|gestürzt)|zwischenspeicher\w*"
            r"|sprachmodell\w*|kontextfenster\w*)\b"
        ),
    },
    "fr": {
        _JARGON: (
            r"\b(serveurs?|d[ée]lai (d.attente|d[ée]pass[ée]|expir[ée])|codes? d.([ée]tat|erreur)"
            r"|limites? de (d[ée]bit|requ[êe]tes)|requ[êe]tes?|passerelles?|bases? de donn[ée]es"
            r"|latence|authentifi\w+|exceptions?|param[èe]tres?|invalides?"
            r"|internes?|caches?|jetons?|mod[èe]les? de langage|fen[êe]tre de contexte)\b"
        ),
    },
    "ja": {
        _NAME: (
            "アンソロピック|クロード|オープンAI|チャットGPT|ジェミニ|グーグル|アマゾン"
            "|マイクロソフト|ミストラル"
        ),
        _JARGON: (
            "サーバ|タイムアウト|(エラー|ステータス|状態)コード|エンドポイント|プロキシ|ゲートウェイ"
            "|データベース|トークン|キャッシュ|レート制限|リクエスト|リトライ|プロバイダ|プロンプト"
            "|パラメータ|(言語|AI)モデル|コンテキスト|ストリーミング|バックエンド|例外|認証|認可|無効な|内部"
        ),
    },
    "ar": {
        _NAME: (
            "أنثروبيك|كلود|أوبن ?إيه ?آي|شات جي ?بي ?تي|جيميني|جيميناي|جوجل|غوغل|أمازون|مايكروسوفت"
        ),
        _JARGON: (
            "خادم|خوادم|سيرفر|انته(ت|اء) (ال)?مهلة|رمز (الحالة|الخطأ)|واجهة برمجة"
            "|قاعدة (ال)?بيانات|(ال)?مصادقة|بيانات الاعتماد|التخويل|استثناء|توكن|رموز مميزة"
            "|ذاكرة (التخزين )?(ال)?مؤقت|معلمات|غير صالح|حد المعدل|نموذج لغوي|داخلي"
        ),
    },
}


# Japanese and Arabic join their words to Latin ones without a space ("APIエラー"): the edge of a
# word is where Latin letters begin or end.
_LATIN = r"[0-9A-Za-z_\u00c0-\u024f]"
_EDGE = rf"(?:(?<!{_LATIN})(?={_LATIN})|(?<={_LATIN})(?!{_LATIN}))"

# Only a statement that something is being tried: to ask a person to try is what giving up says.
_STILL_TRYING = {
    "en": r"\b(is|are|being) (still )?(trying|tried)\b|\bwill try\b",
    "es": r"\b(est[áa]n?|estamos|sigue|seguimos) (probando|intentando)|\bvolver(á|emos) a intentar",
    "de": r"\b(versucht|probiert|(versuchen|probieren) wir|wir (versuchen|probieren))\b",
    "fr": r"\b(r[ée])?essa(ie|ye|iera|yera)\b|\b(nous (r[ée])?essa[iy]|en train d.essayer)",
    "ja": r"試し(てい|ま)|試みて(い|お)|再試行(中|して)",
    "ar": r"(?<!\w)(س?ي|س?ن|ت)حاول|جار[ٍي]ة? (إعادة )?المحاولة|ستُ?عاد المحاولة",
}


def unfit_words(text: str, *, language: str) -> Iterator[tuple[str, str]]:
    """What stands in ``text`` that a person should not read: its kind, and the words themselves.

    ``language`` is a tag without a region. One without a table of its own is held to what is
    jargon everywhere.
    """
    for kind, pattern in _patterns(language):
        for match in pattern.finditer(text):
            yield kind, match[0]


def still_trying(text: str, *, language: str) -> str | None:
    """The words that say that something is still being tried; ``None`` where there are none."""
    pattern = _STILL_TRYING.get(language)
    found = re.search(pattern, text, re.IGNORECASE) if pattern else None
    return found[0] if found else None


@cache
def _patterns(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (kind, re.compile(pattern.replace(r"\b", _EDGE), re.IGNORECASE))
        for table in (EVERYWHERE, OF_LANGUAGE.get(language, {}))
        for kind, pattern in table.items()
    )
