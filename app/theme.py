"""Light and dark: one table of colour tokens, the palette and the style sheet made from it.

Colours are written here and nowhere else. Widgets ask for tokens or use palette roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

CHOICES = ("system", "light", "dark")


@dataclass(frozen=True)
class Tokens:
    """Colours of one theme. Text on ground has a contrast of at least 4.5:1 (tested)."""

    window: str
    surface: str
    raised: str
    line: str
    line_strong: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    accent_pressed: str
    on_accent: str
    accent_soft: str
    selection: str
    good: str
    good_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    match: str
    canvas: str
    code_keyword: str
    code_string: str
    code_number: str
    code_comment: str
    code_name: str
    code_attribute: str
    code_punctuation: str


LIGHT = Tokens(
    window="#f3f4f7",
    surface="#ffffff",
    raised="#f7f8fa",
    line="#e1e4ea",
    line_strong="#c6cbd6",
    text="#1b1f2a",
    muted="#5b6475",
    accent="#4353d9",
    accent_hover="#3646c6",
    accent_pressed="#2b39a8",
    on_accent="#ffffff",
    accent_soft="#e9ebfc",
    selection="#cdd4fb",
    good="#1a7a45",
    good_soft="#e3f5e9",
    warn="#8a5300",
    warn_soft="#fdf3dd",
    bad="#b3261e",
    bad_soft="#fdeceb",
    match="#ffe08a",
    canvas="#eceef2",
    code_keyword="#8a2bb5",
    code_string="#1c6e3c",
    code_number="#a3440b",
    code_comment="#6a7284",
    code_name="#2447c2",
    code_attribute="#8f4a00",
    code_punctuation="#5b6475",
)
DARK = Tokens(
    window="#14161c",
    surface="#1b1e26",
    raised="#21252f",
    line="#2c313d",
    line_strong="#454c5c",
    text="#e7e9ef",
    muted="#a0a8b8",
    accent="#8b9bff",
    accent_hover="#a0adff",
    accent_pressed="#7283f2",
    on_accent="#10131f",
    accent_soft="#262c4a",
    selection="#3a4580",
    good="#5fcf92",
    good_soft="#173524",
    warn="#f0b95b",
    warn_soft="#352b18",
    bad="#ff8f87",
    bad_soft="#3b2020",
    match="#5c4a12",
    canvas="#12141a",
    code_keyword="#d59bf6",
    code_string="#8fd6a3",
    code_number="#f2a97e",
    code_comment="#8b93a5",
    code_name="#93b4ff",
    code_attribute="#e8c07d",
    code_punctuation="#a0a8b8",
)

THEMES: Mapping[bool, Tokens] = {False: LIGHT, True: DARK}

_SHEET = Template(
    """
QMainWindow, QDialog { background: $window; }
QWidget#pane, QWidget#start { background: $surface; border: 1px solid $line; border-radius: 10px; }
QWidget#start { background: transparent; border: none; }
QWidget#paneHeader { background: transparent; border: none; border-bottom: 1px solid $line; }
QLabel#paneTitle { color: $text; font-weight: 600; }
QLabel#muted { color: $muted; }
QLabel#startTitle { color: $text; font-size: 24px; font-weight: 600; }
QLabel#startText { color: $muted; font-size: 14px; }
QLabel#chip { color: $muted; background: $raised; border: 1px solid $line;
              border-radius: 9px; padding: 1px 8px; }
QToolTip { color: $text; background: $raised; border: 1px solid $line_strong; padding: 4px; }

QPushButton, QToolButton { color: $text; background: $surface; border: 1px solid $line_strong;
    border-radius: 7px; padding: 5px 12px; min-height: 20px; }
QPushButton:hover, QToolButton:hover { background: $raised; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:disabled, QToolButton:disabled { color: $line_strong; border-color: $line; }
QPushButton:focus, QToolButton:focus, QComboBox:focus { border: 2px solid $accent;
    padding: 4px 11px; }
QToolButton#flat { background: transparent; border: 2px solid transparent; padding: 3px; }
QToolButton#flat:hover { background: $raised; }
QToolButton#flat:pressed { background: $line; }
QToolButton#flat:checked { background: $accent_soft; border-color: $accent_soft; }
QToolButton#flat:focus { border: 2px solid $accent; padding: 3px; }
QToolButton::menu-indicator { image: none; }

QPushButton#primary { color: $on_accent; background: $accent; border: 1px solid $accent;
    font-weight: 600; padding: 5px 16px; }
QPushButton#primary:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton#primary:pressed { background: $accent_pressed; }
QPushButton#primary:focus { border: 2px solid $text; padding: 4px 15px; }
QPushButton#primary:disabled { background: $line; border-color: $line; color: $muted; }

QWidget#segments { background: $line; border-radius: 8px; }
QWidget#segments QPushButton { background: transparent; border: 2px solid transparent;
    border-radius: 6px; padding: 2px 12px; color: $muted; }
QWidget#segments QPushButton:hover { color: $text; }
QWidget#segments QPushButton:checked { background: $surface; color: $text; font-weight: 600; }
QWidget#segments QPushButton:focus { border: 2px solid $accent; }

QWidget#paneTools { background: transparent; border: none; border-bottom: 1px solid $line; }
QToolButton#segment { background: transparent; border: 2px solid transparent; border-radius: 6px;
    padding: 2px 5px; min-height: 18px; }
QToolButton#segment:checked { background: $surface; }
QToolButton#segment:focus { border: 2px solid $accent; padding: 2px 5px; }
QToolButton#flat:checked { background: $accent_soft; border-color: $accent_soft; }
QToolButton#flat:checked:focus { border-color: $accent; }
QToolButton#note { background: transparent; border: 2px solid transparent; padding: 1px 6px;
    color: $muted; }
QToolButton#note:hover { background: $raised; }
QToolButton#note:checked { background: $accent_soft; color: $text; }
QToolButton#note:focus { border: 2px solid $accent; padding: 1px 6px; }
QListWidget#notes { color: $text; background: $raised; border: none; border-top: 1px solid $line;
    padding: 4px; outline: none; }
QListWidget#notes::item { padding: 2px 4px; }
QListWidget#notes::item:selected { background: $accent_soft; color: $text; }
QSlider::groove:horizontal { background: $line_strong; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; height: 4px; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; border: 2px solid $surface; width: 14px;
    height: 14px; margin: -7px 0; border-radius: 9px; }
QSlider::handle:horizontal:focus { border: 2px solid $text; }

QPushButton#card { background: $surface; border: 1px solid $line; border-radius: 12px;
    padding: 18px 14px; text-align: center; }
QPushButton#card:hover { border-color: $accent; background: $accent_soft; }
QPushButton#card:focus { border: 2px solid $accent; padding: 17px 13px; }
QPushButton#card:disabled { background: $window; }
QPushButton#card QLabel { background: transparent; }
QPushButton#card QLabel#cardTitle { font-weight: 600; font-size: 14px; color: $text; }
QPushButton#card QLabel#cardText { color: $muted; }
QPushButton#link { background: transparent; border: 2px solid transparent; color: $accent;
    padding: 3px 6px; }
QPushButton#link:disabled { color: $muted; }
QPushButton#link:hover { text-decoration: underline; }
QPushButton#link:focus { border: 2px solid $accent; }

QLineEdit { color: $text; background: $surface; border: 1px solid $line_strong;
    border-radius: 6px; padding: 3px 8px; min-height: 20px; selection-background-color: $selection;
    selection-color: $text; }
QLineEdit:focus { border: 2px solid $accent; padding: 2px 7px; }
QLineEdit:disabled { color: $muted; background: $raised; border-color: $line; }
QToolButton#candidate { background: $surface; border: 2px solid $line; border-radius: 8px;
    padding: 4px 6px; color: $text; }
QToolButton#candidate:hover { background: $accent_soft; }
QToolButton#candidate:checked { border-color: $accent; background: $accent_soft; }
QToolButton#candidate:focus { border-color: $text; }
QToolButton#candidate:disabled { color: $muted; }
QToolButton#chipButton, QPushButton#chipButton { color: $muted; background: $raised;
    border: 1px solid $line; border-radius: 9px; padding: 0 8px; min-height: 18px; }
QToolButton#chipButton:checked { color: $text; background: $accent_soft; border-color: $accent; }
QToolButton#chipButton:focus, QPushButton#chipButton:focus { border: 1px solid $accent; }
QListView#rows { background: $surface; border: none; outline: none; padding: 2px; }
QScrollArea#strip, QWidget#strip { background: transparent; border: none; }

QComboBox { color: $text; background: $surface; border: 1px solid $line_strong; border-radius: 6px;
    padding: 2px 8px; min-height: 18px; }
QComboBox:focus { padding: 1px 7px; }
QComboBox::drop-down { border: none; width: 16px; }
QComboBox QAbstractItemView { color: $text; background: $surface; border: 1px solid $line_strong;
    selection-background-color: $accent_soft; selection-color: $text; outline: none; }

QPlainTextEdit#code, QPlainTextEdit#changes { color: $text; background: $surface; border: none;
    selection-background-color: $selection; selection-color: $text; }
QPlainTextEdit#changes, QScrollArea#shortcuts { border: 2px solid transparent; }
QPlainTextEdit#changes:focus, QPlainTextEdit#log:focus, QScrollArea#shortcuts:focus {
    border: 2px solid $accent; }
QWidget#findBar { background: $raised; border-bottom: 1px solid $line; }
QWidget#findBar QPushButton { padding: 2px 10px; }
QWidget#findBar QPushButton:focus { padding: 1px 9px; }
QWidget#findBar QLabel { color: $muted; }
QWidget#findBar QLabel[found="false"] { color: $bad; }
QLabel#changesSummary { color: $muted; background: $raised; padding: 4px 12px;
    border-bottom: 1px solid $line; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QScrollArea#startArea { background: transparent; }
QScrollArea, QGraphicsView { background: $canvas; border: none; }
QWidget#canvas { background: $canvas; }

QFrame#banner { border-radius: 8px; border: 1px solid $line_strong; background: $raised; }
QFrame#banner[tone="bad"] { background: $bad_soft; border-color: $bad; }
QFrame#banner[tone="warn"] { background: $warn_soft; border-color: $warn; }
QFrame#banner QLabel#bannerTitle { font-weight: 600; color: $text; }
QFrame#banner QLabel#bannerText { color: $text; }
QFrame#banner QLabel#bannerDetail { color: $muted; }

QLabel#sectionTitle { color: $text; font-size: 16px; font-weight: 600; }
QLabel#boxTitle { color: $text; font-weight: 600; }
QLabel#status { color: $text; }
QLabel#status[tone="good"] { color: $good; }
QLabel#status[tone="warn"] { color: $warn; }
QLabel#status[tone="bad"] { color: $bad; }
QFrame#box { background: $surface; border: 1px solid $line; border-radius: 10px; }
QScrollArea#page, QWidget#pageInside { background: $window; }
QListWidget#pages { color: $text; background: $surface; border: none;
    border-right: 1px solid $line; outline: none; padding: 8px 0; }
QListWidget#pages::item { padding: 9px 12px; border-left: 3px solid transparent; }
QListWidget#pages::item:selected { background: $accent_soft; color: $text;
    border-left: 3px solid $accent; }
QListWidget#pages:focus { border-right: 1px solid $accent; }
QComboBox QLineEdit, QSpinBox QLineEdit { border: none; padding: 0; }
QTextBrowser#help { color: $text; background: $surface; border: none;
    border-top: 1px solid $line; selection-background-color: $selection; selection-color: $text; }
QTextBrowser#help:focus { border-top: 1px solid $accent; }
QPlainTextEdit#log { color: $muted; background: $surface; border: 1px solid $line;
    border-radius: 10px; padding: 6px; selection-background-color: $selection;
    selection-color: $text; }

QStatusBar { background: $window; color: $muted; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $muted; }
QProgressBar { background: $line; border: none; border-radius: 3px; max-height: 6px;
    min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: $accent_soft; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 0; }
QScrollBar::handle { background: $line_strong; border-radius: 3px; margin: 2px; min-height: 28px;
    min-width: 28px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QMenu { color: $text; background: $surface; border: 1px solid $line_strong; border-radius: 8px;
    padding: 5px; }
QMenu::item { padding: 5px 26px 5px 12px; border-radius: 5px; }
QMenu::item:selected { background: $accent_soft; }
QMenu::item:disabled { color: $line_strong; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 5px 8px; }
"""
)


def palette(tokens: Tokens) -> QPalette:
    """The Qt palette of a theme, so that standard widgets and dialogs fit as well."""
    made = QPalette()
    role = QPalette.ColorRole
    for which, name in (
        (role.Window, tokens.window),
        (role.WindowText, tokens.text),
        (role.Base, tokens.surface),
        (role.AlternateBase, tokens.raised),
        (role.Text, tokens.text),
        (role.PlaceholderText, tokens.muted),
        (role.Button, tokens.surface),
        (role.ButtonText, tokens.text),
        (role.Highlight, tokens.accent),
        (role.HighlightedText, tokens.on_accent),
        (role.ToolTipBase, tokens.raised),
        (role.ToolTipText, tokens.text),
        (role.Link, tokens.accent),
        (role.Mid, tokens.line),
        (role.Dark, tokens.line_strong),
        (role.BrightText, tokens.bad),
    ):
        made.setColor(which, QColor(name))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens.line_strong))
    return made


def style_sheet(tokens: Tokens) -> str:
    """The style sheet of a theme."""
    return _SHEET.substitute(asdict(tokens))


OVERLAY = {"dim": "#66000000", "line": "#8b9bff", "label": "#e6171a22", "label_text": "#ffffff"}
"""Colours over a frozen screen, which is neither light nor dark: the same in both themes."""


def code_font() -> QFont:
    """A monospaced font a little smaller than the system's general font."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    families = set(QFontDatabase.families())
    for family in ("JetBrains Mono", "Cascadia Mono", "SF Mono", "Fira Code", "DejaVu Sans Mono"):
        if family in families:
            font.setFamily(family)
            break
    font.setStyleHint(QFont.StyleHint.Monospace)
    # Ligatures would show characters that are not in the code.
    for feature in ("calt", "liga"):
        font.setFeature(QFont.Tag(feature), 0)
    font.setPointSizeF(max(9.0, QApplication.font().pointSizeF()))
    return font


class Theme(QObject):
    """Follows the system's colour scheme or the user's choice and dresses the application."""

    changed = Signal()

    def __init__(self, application: QApplication, choice: str = "system") -> None:
        super().__init__(application)
        self._application = application
        self.choice = choice
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._system_changed)
        self.set_choice(choice)

    @property
    def dark(self) -> bool:
        """Whether the dark theme is on."""
        if self.choice != "system":
            return self.choice == "dark"
        return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark

    @property
    def tokens(self) -> Tokens:
        return THEMES[self.dark]

    def colour(self, token: str) -> QColor:
        """The colour of a token in the present theme."""
        return QColor(getattr(self.tokens, token))

    def set_choice(self, choice: str) -> None:
        """Take "system", "light" or "dark"; ValueError for anything else."""
        if choice not in CHOICES:
            raise ValueError(f"unknown theme {choice!r}")
        self.choice = choice
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        QGuiApplication.styleHints().setColorScheme(scheme.get(choice, Qt.ColorScheme.Unknown))
        self._apply()

    def toggle(self) -> None:
        """From light to dark or back."""
        self.set_choice("light" if self.dark else "dark")

    def _system_changed(self) -> None:
        if self.choice == "system":
            self._apply()

    def _apply(self) -> None:
        self._application.setPalette(palette(self.tokens))
        # In place of another sheet Qt polishes each widget once for itself and once more for every
        # widget around it; in place of none, once. Nothing is painted in between.
        self._application.setStyleSheet("")
        self._application.setStyleSheet(style_sheet(self.tokens))
        self.changed.emit()
