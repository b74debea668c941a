"""The log and the report: what they tell, and that nothing private gets into either."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from app import log
from app.finding import Finding
from app.redact import Redactor
from app.report import PUBLIC, make_report
from app.store import settings as store
from engine.errors import ErrorCode, VisCodexError

ROOT = Path(__file__).resolve().parents[2]
CODE = "<!DOCTYPE html>\n<p>planted-code</p>"
# Each is planted in many places; none may be found anywhere.
PLANTED = (
    "planted", "sk-abcdef123456", "hf_abcdefgh12345", "10.1.2.3", "office.example", "jane.doe",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def logging_to(folder: Path) -> Iterator[Path]:
    handler = log.start_log(folder)
    assert handler is not None
    yield folder / log.FILE_NAME
    log.stop_log(handler)


class TestLog:
    def test_what_may_be_told_is_told(self, logging_to: Path) -> None:
        logger = logging.getLogger("app.test")
        logger.info("converted in %.2f s, %d tokens, %s", 1.5, 80, "html")
        logger.warning("it failed: %s", VisCodexError(ErrorCode.no_code, "planted", "planted"))
        logger.debug("not this")
        logging.getLogger("somebody.else").info("nor this")
        first, second = logging_to.read_text().splitlines()
        assert first.endswith("INFO app.test: converted in 1.50 s, 80 tokens, html")
        assert second.endswith("WARNING app.test: it failed: no_code")

    @pytest.mark.parametrize(
        ("message", "values"),
        [
            ("code: %s", (CODE,)),
            ("prompt: %s", ("make the planted header blue " * 10,)),
            ("tag: %s", ("<b>planted</b>",)),
            ("picture: %s", (b"planted" * 100,)),
            ("object: %s %r", (["planted"], {"planted": 1})),
            (CODE, ()),
            ("x" * 400 + "planted", ()),
            ("named: %(code)s", ({"code": CODE},)),
            ("saved to %s", ("/home/planted/secret plan.html",)),
            ("saved to %s", ("/data/a planted folder/planted.html",)),
            ("saved to '/data/planted folder/x.html'", ()),
            ("saved to C:\\Users\\planted\\x.html", ()),
            ("asking https://office.example/v1?key=planted", ()),
            ("error: %s", (ValueError("planted"),)),
            ("key sk-abcdef123456 of jane.doe@office.example at 10.1.2.3", ()),
            ("Authorization: Bearer planted", ()),
            ("data:image/png;base64,planted", ()),
        ],
    )
    def test_content_never_gets_in(
        self, logging_to: Path, message: str, values: tuple[object, ...]
    ) -> None:
        logging.getLogger("engine.test").warning(message, *values)
        text = logging_to.read_text()
        assert len(text.splitlines()) == 1 and "engine.test" in text
        assert not [word for word in PLANTED if word in text], text

    def test_values_that_do_not_fit_are_left_out(self) -> None:
        record = logging.LogRecord("app.x", logging.WARNING, "", 1, "n: %d", ("planted",), None)
        assert "planted" not in log.SafeFormatter(Redactor({})).format(record)

    def test_an_exception_is_its_type_and_place(self, logging_to: Path) -> None:
        try:
            raise ValueError("planted")
        except ValueError:
            logging.getLogger("app.test").exception("it broke")
        text = logging_to.read_text()
        assert "it broke [ValueError at test_report.py:" in text
        assert "planted" not in text and len(text.splitlines()) == 1

    def test_it_does_not_grow_for_ever(self, logging_to: Path) -> None:
        logger = logging.getLogger("app.test")
        for number in range(12_000):
            logger.info(
                "line %d with some more words in it so that it is longer %s", number, "-" * 70
            )
        sizes = [path.stat().st_size for path in logging_to.parent.iterdir()]
        assert len(sizes) == 1 + log.OLDER
        assert max(sizes) <= log.LARGEST
        assert log.last_lines(2, logging_to.parent)[-1].find("line 11999 ") > 0

    def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert log.start_log(tmp_path / "file") is None
        assert log.last_lines(5, tmp_path / "none") == []

    def test_the_terminal_stays_quiet(self, tmp_path: Path) -> None:
        script = (
            "import logging, sys; from pathlib import Path; from app.log import start_log\n"
            "logging.basicConfig(level=logging.WARNING); start_log(Path(sys.argv[1]))\n"
            "logging.getLogger('app.x').info('started'); logging.getLogger('app.x').warning('oh')"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "started" not in ended.stderr and "oh" in ended.stderr
        assert "started" in (tmp_path / log.FILE_NAME).read_text()


class TestRedactor:
    def test_this_user_and_machine(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        home = tmp_path / "planted"
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("USERPROFILE", str(home))
        environment = {"VISCODEX_API_KEY": "zebra-key", "HTTPS_PROXY": "http://me:pw0@proxy.lan:1"}
        redactor = Redactor.of_this_machine(["office.example"], environment)
        text = (
            f"Planted wrote {home}/x and {home}; PLANTED's zebra-key, proxy.lan, pw0, "
            "office.example:80"
        )
        cleaned = redactor.clean(text)
        for word in ("planted", "zebra", "proxy.lan", "pw0", "office"):
            assert word not in cleaned.lower(), cleaned

    def test_what_helps_stays(self) -> None:
        redactor = Redactor({})
        for text in (
            "llama-cpp-python 0.3.36 loads and computes",
            "CPU (cpu), CUDA0 (gpu)",
            "Landlock and seccomp: files and network shut off",
            "12.5 MB/s and/or 24/7",
            "WARNING app.store.settings: broken",
            "it broke [ValueError at main.py:12 > files.py:3]",
        ):
            assert redactor.clean(text) == text


SETTINGS = store.Settings(
    theme="dark",
    model="/home/planted/models/planted.gguf",
    server="planted office",
    servers=(store.RemoteServer("planted office", "https://office.example:8443/v1", "planted-7b"),),
    window={"main": "planted"},
    unknown={"planted": "planted"},
)
FINDINGS = [
    Finding("devices", True, "CPU (cpu), CUDA0 (gpu)"),
    Finding("isolation", True, "Landlock and seccomp"),
    Finding("model", False, "'/home/planted/m.gguf' of planted-7b at office.example is broken"),
]


class TestReport:
    def test_it_tells_what_helps(self, logging_to: Path) -> None:
        logging.getLogger("app.test").warning("it failed: %s", "no_code")
        text = make_report(FINDINGS, SETTINGS, logging_to.parent).text()
        for word in (
            "PySide6-Essentials: 6.12", "theme: dark", "CUDA0 (gpu)", "Landlock and seccomp",
            "model: one of their own", "servers: 1 (https)", "it failed: no_code", "python: 3.",
        ):  # fmt: skip
            assert word in text

    def test_nothing_private_is_in_it(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "jane.doe"))
        monkeypatch.setenv("VISCODEX_API_KEY", "sk-abcdef123456")
        monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh12345")
        folder.mkdir()
        lines = [f"{word} /home/{word}/x https://{word}/y at {word}" for word in PLANTED[1:]]
        # A log from elsewhere, written without care.
        (folder / log.FILE_NAME).write_text("\n".join([*lines, "asked office.example", "jane.doe"]))
        report = make_report(FINDINGS, SETTINGS, folder)
        for text in (report.text(), json.dumps(report.to_json()), str(report.sections)):
            assert not [word for word in PLANTED if word in text], text
        assert "VISCODEX_API_KEY" in report.sections["Environment"], "that it is set may be told"

    def test_every_setting_is_public_by_decision(self) -> None:
        decided = {*PUBLIC, "model", "server", "servers", "window", "unknown"}
        assert {field.name for field in fields(store.Settings)} == decided

    @pytest.mark.slow
    def test_the_command_writes_it(self, tmp_path: Path) -> None:
        home = tmp_path / "planted"
        home.mkdir()
        environment = {
            **os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT),
            "VISCODEX_API_KEY": "sk-abcdef123456", "HF_TOKEN": "hf_abcdefgh12345",
        }  # fmt: skip
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            environment.pop(name, None)
        config = home / ".config" / "VisCodex"
        config.mkdir(parents=True)
        store.save(SETTINGS, config / "settings.json")
        before = (config / "settings.json").read_bytes()
        ended = subprocess.run(
            [sys.executable, "-m", "app.cli", "doctor", "--report", "report.json"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        text = (tmp_path / "report.json").read_text()
        assert "report:" in ended.stderr
        facts = json.loads(text)
        assert facts["Settings"]["theme"] == ("dark" if sys.platform == "linux" else "system")
        assert len(facts["Checks"]) == len(ended.stdout.splitlines())
        assert not [word for word in PLANTED if word in text], text
        assert (config / "settings.json").read_bytes() == before
