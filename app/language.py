"""Which language the windows speak: chosen once, in the start of the application."""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from app import i18n
from app.bootstrap import asset

DOMAIN = "viscodex"
ENGLISH = "en"
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "zh_CN": "简体中文"}
"""Language -> its own name. Each but English has a catalogue in assets/locale."""

_TRANSLATIONS = QLibraryInfo.LibraryPath.TranslationsPath
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})


def choose(setting: str, environment: Mapping[str, str], system: Sequence[str]) -> str:
    """The language to speak, one of `LANGUAGES`.

    `setting` is a language or "" for that of the system: what the variables of gettext say, else
    the first of `system` (as Qt names languages) that is spoken here. English where none is.
    """
    if setting:
        return setting if setting in LANGUAGES else ENGLISH
    asked = _asked(environment) or list(system)
    return next((found for one in asked if (found := known(one))), ENGLISH)


def known(name: str) -> str:
    """The one of `LANGUAGES` that the name of a locale means, as in "zh-Hans-CN"; "" for none."""
    parts = name.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")
    if parts[0] in ("c", "posix"):
        return ENGLISH
    if parts[0] == "zh":
        return "" if _TRADITIONAL & set(parts) else "zh_CN"
    return next((one for one in LANGUAGES if one == parts[0]), "")


def install(application: QApplication, setting: str, folder: Path | None = None) -> str:
    """Speak the language of `setting` from now on; call before the first window is made.

    Takes Qt's own words along, for standard buttons and the menus of text fields, and the way dates
    are written. `folder` holds the catalogues, that of the assets by default. Returns the language.
    """
    system = QLocale.system()
    language = choose(setting, os.environ, system.uiLanguages())
    own = known(system.name()) == language
    QLocale.setDefault(system if own else QLocale(language))
    i18n.use(catalogue(language, folder))
    for old in application.findChildren(QTranslator):
        application.removeTranslator(old)
        old.setParent(None)
    if language != ENGLISH:
        words = QTranslator(application)
        words.load(f"qtbase_{language}", QLibraryInfo.path(_TRANSLATIONS))
        application.installTranslator(words)  # of an empty one nothing is translated
    return language


def catalogue(language: str, folder: Path | None = None) -> gettext.NullTranslations:
    """The catalogue of a language; an empty one for English, or where there is none."""
    place = folder or asset("locale")
    if language == ENGLISH or place is None:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, str(place), [language], fallback=True)


def _asked(environment: Mapping[str, str]) -> list[str]:
    """What the variables ask for, the best first; empty where none is set.

    As gettext has it, LANGUAGE does not count where the locale is the bare C.
    """
    locale = next((environment[one] for one in _VARIABLES if environment.get(one)), "")
    bare = locale.partition(".")[0] in ("C", "POSIX")
    first = [] if bare else environment.get("LANGUAGE", "").split(":")
    return [one for one in (*first, locale) if one]
