"""What a card of the model manager shows, as data; made from facts, without widgets."""

from __future__ import annotations

from dataclasses import dataclass

from app.download_words import size, span
from app.download_words import words as report_words
from app.jobs import Job, JobState
from app.session import Failure
from app.store.settings import RemoteServer
from app.survey import Installed, Offer
from engine.errors import VisCodexError
from engine.models.progress import Checking, Progress
from engine.remote.server import Server

Button = tuple[str, str, str]
"""Key, text, and kind ("" or "primary")."""

_DOING = {"pull": "Downloading", "verify": "Checking", "add": "Copying"}
CONFIRM = (("remove_yes", "Remove it", ""), ("remove_no", "Keep it", ""))


@dataclass(frozen=True)
class Content:
    """`status` stands in the colour of `tone` ("", "good", "warn", "bad"); `progress` is 0 to 1,
    below 0 where it is unknown, None where nothing goes on."""

    title: str
    chips: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    status: str = ""
    tone: str = ""
    progress: float | None = None
    buttons: tuple[Button, ...] = ()


def of_installed(
    one: Installed, used: bool, job: Job | None, failure: Failure | None, asked: bool
) -> Content:
    """A model of this machine; `asked` while the question whether to remove it stands."""
    chips = (("In use",) if used else ()) + (("Bundled",) if one.bundled else ())
    base = Content(one.name, chips, (one.facts,))
    if asked:
        text = f"Remove {one.name} from the disk?"
        return Content(one.name, chips, (one.facts,), text, "warn", None, CONFIRM)
    if job is not None and not job.over:
        return _going_on(base, job)
    buttons: tuple[Button, ...] = () if used else (("use", "Use", "primary"),)
    buttons += (("verify", "Verify", ""),)
    buttons += () if one.bundled else (("remove", "Remove…", ""),)
    status, tone = "", ""
    if failure is not None:
        status, tone = told(failure), "bad"
    elif job is not None and job.kind == "verify" and job.state is JobState.DONE:
        status, tone = "Both files are whole: their SHA-256 is the one on the card.", "good"
    return Content(one.name, chips, (one.facts,), status, tone, None, buttons)


def of_offer(offer: Offer, job: Job | None, failure: Failure | None) -> Content:
    """A model that can be downloaded, is being downloaded, or was in part."""
    lines = (offer.facts, offer.quality)
    fit = f"{offer.fit} · {offer.numbers}"
    base = Content(offer.title, (), (*lines, fit))
    if job is not None and not job.over:
        return _going_on(base, job)
    part = offer.arrived > 0
    if failure is not None:
        buttons = (("pull", "Try again", "primary"),)
        status, tone = told(failure), "bad"
    elif part:
        share = min(1.0, offer.arrived / offer.bytes) if offer.bytes else 0.0
        status, tone = f"{size(offer.arrived)} are here ({share:.0%}). {fit}", offer.tone
        buttons = (("pull", "Go on", "primary"),)
    else:
        status, tone = fit, offer.tone
        buttons = (("pull", f"Download {size(offer.bytes)}", ""),)
    more: tuple[Button, ...] = (("discard", "Discard", ""),) if part else ()
    return Content(offer.title, (), lines, status, tone, None, (*buttons, *more))


def of_job(job: Job) -> Content:
    """A model that is no model yet and in no catalogue: files that are being taken over."""
    if not job.over:
        return _going_on(Content(job.title), job)
    text = told(job.failure) if job.failure is not None else ""
    return Content(job.title, (), (), text, "bad", None, (("dismiss", "Close", ""),))


def of_server(server: RemoteServer, used: bool, failure: Failure | None, asked: bool) -> Content:
    """A server of the user's."""
    chips = ("In use",) if used else ()
    lines = (server.url, f"Model: {server.model or 'its only one'}")
    if asked:
        text = f"Forget “{server.name}” and its key?"
        return Content(server.name, chips, lines, text, "warn", None, CONFIRM)
    buttons: tuple[Button, ...] = () if used else (("use", "Use", "primary"),)
    buttons += (("edit", "Edit…", ""), ("remove", "Remove…", ""))
    if failure is not None:
        return Content(server.name, chips, lines, told(failure), "bad", None, buttons)
    return Content(server.name, chips, lines, notice_of(server.url), "warn", None, buttons)


def notice_of(url: str) -> str:
    """What should be known before anything is sent to an address; "" where nothing, or it is
    no address yet."""
    try:
        return Server.at(url).notice
    except VisCodexError:
        return ""


def told(failure: Failure) -> str:
    """What happened and what to do."""
    return " ".join(part for part in (failure.message, failure.advice) if part)


def _going_on(base: Content, job: Job) -> Content:
    """Progress, rate and remaining time, with the buttons of a running job."""
    status, progress = f"{_DOING[job.kind]}…", -1.0
    report = job.report
    if isinstance(report, Progress) and report.all_total:
        progress = report.all_done / report.all_total
        parts = [f"{progress:.0%}", f"{size(report.all_done)} of {size(report.all_total)}"]
        if report.rate is not None and job.state is JobState.RUNNING:
            parts.append(f"{size(report.rate)}/s")
            if report.remaining is not None:
                parts.append(f"{span(report.remaining)} left")
        status = f"{_DOING[job.kind]} · " + " · ".join(parts)
    elif isinstance(report, Checking) and report.total:
        progress = report.done / report.total
        status = f"Checking {report.file} · {progress:.0%}"
    elif report is not None:
        status = report_words(report)
    buttons: list[Button] = [("pause", "Pause", "")]
    if job.state is JobState.PAUSED:
        status = status.replace(_DOING[job.kind], "Paused", 1) if progress >= 0 else "Paused"
        buttons = [("resume", "Resume", "primary")]
    if job.kind != "pull":
        buttons = []
    buttons.append(("cancel", "Cancel", ""))
    return Content(base.title, base.chips, base.lines, status, "", progress, tuple(buttons))
