"""Pages from templates: Danish is written in the templates themselves, other languages are gettext catalogues."""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime, get_timezone
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from torv.base import problems
from torv.base.http import Answer
from torv.web.static_files import FILES

SOURCE_LANGUAGE = "da"
LANGUAGES = ("da", "en")
LANGUAGE_COOKIE = "torv_language"
ZONE = get_timezone("Europe/Copenhagen")
_LOCALES = Path(__file__).with_name("locale")
_ENGLISH = "en_GB"  # day before month, 24-hour clock, as at the other end of the sentence

HTML = "text/html; charset=utf-8"
#: nothing is allowed but our own styles, images, fonts and forms: an injected script or style has nowhere to run
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "vary": "Accept-Language, Cookie",
}


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Answer:
    """The page in the reader's language; a language asked for with `?lang=` is remembered."""
    language = language_of(request)
    body = ENVIRONMENTS[language].get_template(template).render(language=language, path=request.url.path, **values)
    headers = {**HEADERS, "content-language": language}
    return Answer(body=body.encode(), status=status, headers=headers, media_type=HTML, cookies=_chosen(request))


def language_of(request: Request) -> str:
    """`da` or `en`: what the reader chose, or else what the browser asks for, or else the installation's own."""
    for choice in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if choice in LANGUAGES:
            return choice
    return problems.language_of(request, request.app.state.engine.settings.language)


def _chosen(request: Request) -> dict[str, str]:
    choice = request.query_params.get("lang")
    return {LANGUAGE_COOKIE: choice} if choice in LANGUAGES else {}


def make_environment(language: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=PackageLoader("torv.web"), autoescape=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n"],
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    locale = SOURCE_LANGUAGE if language == SOURCE_LANGUAGE else _ENGLISH
    made.globals["static"] = FILES.address
    made.filters["clock"] = lambda at: _shown(at, "HH:mm:ss", locale)
    made.filters["day"] = lambda at: _shown(at, "d. MMMM y" if locale == SOURCE_LANGUAGE else "d MMMM y", locale)
    made.filters["date"] = lambda day: format_date(
        day, "d. MMMM y" if locale == SOURCE_LANGUAGE else "d MMMM y", locale
    )
    made.filters["month"] = lambda day: format_date(day, "MMMM y", locale)
    made.filters["sentence"] = lambda text: text[:1].upper() + text[1:]  # `capitalize` makes CPR of it Cpr
    made.filters["initials"] = initials
    made.filters["listed"] = lambda words: format_list([str(word) for word in words], locale=locale)
    made.filters["number"] = lambda value: format_decimal(value, locale=locale)
    return made


def _shown(at: datetime, pattern: str, locale: str) -> str:
    return format_datetime(at, pattern, tzinfo=ZONE, locale=locale)


def translations(language: str) -> NullTranslations:
    """The texts of a language; Danish is the source and needs none. An unfinished translation shows the Danish text."""
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    with (_LOCALES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def initials(name: str) -> str:
    """Two letters to stand beside a name: those of its first two words, or the first two of its only word."""
    words = name.split()
    return "".join(word[0] for word in words[:2]).upper() if len(words) > 1 else name[:2].upper()


ENVIRONMENTS = {language: make_environment(language) for language in LANGUAGES}  # once, when the process starts
