"""What a card of the model manager shows, as data; made from facts, without widgets."""

from __future__ import annotations

from dataclasses import dataclass

from app.download_words import rate_words, size
from app.download_words import words as report_words
from app.i18n import N_, _
from app.jobs import Job, JobState
from app.messages import told
from app.phrases import translated
from app.session import Failure
from app.store.settings import RemoteServer
from app.survey import Installed, Offer
from engine.errors import VisCodexError
from engine.models.progress import Checking, Progress
from engine.remote.server import Server

Button = tuple[str, str, str]
"""Key, text, and kind ("" or "primary")."""

_DOING = {"pull": N_("Downloading"), "verify": N_("Checking"), "add": N_("Copying")}
_ONLY = N_("Model: its only one")
_CONFIRM = (("remove_yes", N_("Remove it")), ("remove_no", N_("Keep it")))


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
    chips = ((_("In use"),) if used else ()) + ((_("Bundled"),) if one.bundled else ())
    base = Content(one.name, chips, (one.facts,))
    if asked:
        text = _("Remove {name} from the disk?").format(name=one.name)
        return Content(one.name, chips, (one.facts,), text, "warn", None, _confirm())
    if job is not None and not job.over:
        return _going_on(base, job)
    buttons: tuple[Button, ...] = () if used else (("use", _("Use"), "primary"),)
    buttons += (("verify", _("Verify"), ""),)
    buttons += () if one.bundled else (("remove", _("Remove…"), ""),)
    status, tone = "", ""
    if failure is not None:
        status, tone = told(failure), "bad"
    elif job is not None and job.kind == "verify" and job.state is JobState.DONE:
        status, tone = _("Both files are whole: their SHA-256 is the one on the card."), "good"
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
        buttons = (("pull", _("Try again"), "primary"),)
        status, tone = told(failure), "bad"
    elif part:
        share = min(1.0, offer.arrived / offer.bytes) if offer.bytes else 0.0
        status, tone = (
            _("{size} are here ({share}). {fit}").format(
                size=size(offer.arrived), share=f"{share:.0%}", fit=fit
            ),
            offer.tone,
        )
        buttons = (("pull", _("Go on"), "primary"),)
    else:
        status, tone = fit, offer.tone
        buttons = (("pull", _("Download {size}").format(size=size(offer.bytes)), ""),)
    more: tuple[Button, ...] = (("discard", _("Discard"), ""),) if part else ()
    return Content(offer.title, (), lines, status, tone, None, (*buttons, *more))


def _confirm() -> tuple[Button, ...]:
    return tuple((key, _(text), "") for key, text in _CONFIRM)


def of_job(job: Job) -> Content:
    """A model that is no model yet and in no catalogue: files that are being taken over."""
    if not job.over:
        return _going_on(Content(job.title), job)
    text = told(job.failure) if job.failure is not None else ""
    return Content(job.title, (), (), text, "bad", None, (("dismiss", _("Close"), ""),))


def of_server(server: RemoteServer, used: bool, failure: Failure | None, asked: bool) -> Content:
    """A server of the user's."""
    chips = (_("In use"),) if used else ()
    model = _("Model: {name}").format(name=server.model) if server.model else _(_ONLY)
    lines = (server.url, model)
    if asked:
        text = _("Forget “{name}” and its key?").format(name=server.name)
        return Content(server.name, chips, lines, text, "warn", None, _confirm())
    buttons: tuple[Button, ...] = () if used else (("use", _("Use"), "primary"),)
    buttons += (("edit", _("Edit…"), ""), ("remove", _("Remove…"), ""))
    if failure is not None:
        return Content(server.name, chips, lines, told(failure), "bad", None, buttons)
    return Content(server.name, chips, lines, notice_of(server.url), "warn", None, buttons)


def notice_of(url: str) -> str:
    """What should be known before anything is sent to an address; "" where nothing, or it is
    no address yet."""
    try:
        return translated(Server.at(url).notice)
    except VisCodexError:
        return ""


def _going_on(base: Content, job: Job) -> Content:
    """Progress, rate and remaining time, with the buttons of a running job."""
    paused = job.state is JobState.PAUSED
    doing = _("Paused") if paused else _(_DOING[job.kind])
    status, progress = doing if paused else f"{doing}…", -1.0
    report = job.report
    if isinstance(report, Progress) and report.all_total:
        progress = report.all_done / report.all_total
        # L10N: bytes, as in "1.2 GB of 3.0 GB".
        done = _("{part} of {total}").format(
            part=size(report.all_done), total=size(report.all_total)
        )
        rate = rate_words(report) if job.state is JobState.RUNNING else []
        status = " · ".join((doing, f"{progress:.0%}", done, *rate))
    elif isinstance(report, Checking) and report.total:
        progress = report.done / report.total
        what = doing if paused else _("Checking {file}").format(file=report.file)
        status = f"{what} · {progress:.0%}"
    elif report is not None and not paused:
        status = report_words(report)
    buttons: list[Button] = [("pause", _("Pause"), "")]
    if paused:
        buttons = [("resume", _("Resume"), "primary")]
    if job.kind != "pull":
        buttons = []
    buttons.append(("cancel", _("Cancel"), ""))
    return Content(base.title, base.chips, base.lines, status, "", progress, tuple(buttons))
