"""What the commands of `viscodex` share."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from engine.errors import ErrorCode, VisCodexError

EPILOG = "Add --debug to any command to see the traceback of an error."

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def print_json(value: Any) -> None:
    """One value on stdout, for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def bad_input(message: str, advice: str) -> VisCodexError:
    """What ends a command with status 2."""
    return VisCodexError(ErrorCode.bad_input, message, advice)
