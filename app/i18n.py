"""The words of the windows in the language of their user, by gettext.

`_` and `ngettext` translate where a text is put on a widget. `N_` only marks a text for the
catalogue: tables are made at import, before a language is chosen, and are translated where they
are shown. Placeholders have names, `_("{count} of {total}").format(count=2, total=3)`, since the
order of words differs. A comment that begins with "L10N:" goes to the translators.

English is the text itself and needs no catalogue. The command line chooses none and stays English.
No Qt: see `app.language` for the choice.
"""

from __future__ import annotations

import gettext


class _Present:
    """The one thing here that changes: set by `use`, before the first window is made."""

    catalogue = gettext.NullTranslations()


def use(catalogue: gettext.NullTranslations) -> None:
    """Translate by `catalogue` from now on; one that is empty means English."""
    _Present.catalogue = catalogue


def present() -> gettext.NullTranslations:
    """What translates now."""
    return _Present.catalogue


def language() -> str:
    """The language that is spoken now."""
    return _Present.catalogue.info().get("language", "en")


def _(text: str) -> str:
    """`text` in the language of the windows."""
    return _Present.catalogue.gettext(text) if text else ""  # of "" gettext gives its header


def ngettext(one: str, many: str, number: int) -> str:
    """The form of a text that goes with `number`; its placeholders are still to be filled."""
    return _Present.catalogue.ngettext(one, many, number)


def N_(text: str) -> str:
    """Marks a text that is translated where it is shown."""
    return text
