"""Loads a model by the best plan that works on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import psutil

from engine import remembered
from engine.cancel import CancelFlag
from engine.devices import Device, devices_here
from engine.errors import ErrorCode, VisCodexError
from engine.fit import GRAPHICS, Plan, model_sizes, plans
from engine.llama.library import LIBRARY_VERSION, llama, set_up
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import Progress
from engine.models.card import ModelCard
from engine.models.check import ModelFacts, check_headers
from engine.models.families import PROJECTORS
from engine.models.header import read_header
from engine.prompt import Layout
from engine.protocol import LoadRequest
from engine.remembered import Memory, Record, model_id, situation
from engine.template import Tokens, layout_of


@dataclass(frozen=True)
class Loaded:
    """A session, the card as the plan left it, the plan, and how prompts are laid out."""

    session: VisionSession
    card: ModelCard
    plan: Plan
    layout: Layout


def load(
    request: LoadRequest,
    flag: CancelFlag,
    progress: Progress,
    before: Callable[[ModelCard], None],
    trying: Callable[[Plan], None],
) -> Loaded:
    """Check the files, then try the plans for them in order.

    `before` hears the card, `trying` each plan before native code may fall over it.

    A plan for a graphics device that fails, for whatever reason, leads to the next one; the
    last is the processor's. Raises VisCodexError: what the checks or the last plan say; cancelled.
    """
    text, vision = read_header(request.model), read_header(request.mmproj)
    facts = check_headers(text, vision)  # before native code sees the files
    card = ModelCard.from_json(request.card) if request.card else ModelCard.of_facts(facts)
    before(card)
    sizes = model_sizes(text, vision)
    memory = psutil.virtual_memory().available
    tried: list[str] = []
    graphics = _graphics() if request.graphics else []
    if not request.graphics:
        tried.append("without graphics devices")
    usual = plans(sizes, graphics, memory, card.context, card.image.max_tokens)
    diary = _Diary(request, graphics, len(sizes.layers))
    arranged, known = diary.arrange(usual)
    if known:
        tried.append(known)
    for plan in arranged:
        diary.trying(plan)
        trying(plan)
        limits = replace(
            card.image,
            max_tokens=plan.image_tokens,
            min_tokens=min(card.image.min_tokens, plan.image_tokens),
        )
        options = SessionOptions(
            context=plan.context,
            limits=limits,
            gpu_layers=plan.gpu_layers,
            main_gpu=plan.gpu,
            vision_on_gpu=plan.vision_on_gpu,
            kv_type=plan.kv_type,
            vision_layers=facts.vision_layers,
        )
        try:
            session = VisionSession(request.model, request.mmproj, options, flag, progress)
        except VisCodexError as error:
            if error.code is ErrorCode.cancelled or not plan.device:
                diary.stopped()
                raise
            diary.refused(plan)
            tried.append(f"{plan.reason}, but that failed")
            continue
        diary.worked(plan)
        layout, remark = _layout(session, facts)
        reason = "; ".join(filter(None, [*tried, plan.reason, remark]))
        return Loaded(session, replace(card, image=limits), replace(plan, reason=reason), layout)
    raise AssertionError("plans end with the processor's")  # pragma: no cover


class _Diary:
    """Writes down what comes of each plan, before it can end the process.

    On a machine without graphics devices there is one plan and nothing to remember.
    """

    def __init__(self, request: LoadRequest, devices: list[Device], layers: int) -> None:
        self._layers = layers
        self._memory = Memory() if any(one.kind in GRAPHICS for one in devices) else None
        if self._memory is not None:
            model = model_id(request.model, request.mmproj)
            self._record = self._memory.find(situation(model, devices, LIBRARY_VERSION), model)

    def arrange(self, usual: list[Plan]) -> tuple[list[Plan], str]:
        """See `engine.remembered.arrange`."""
        if self._memory is None:
            return usual, ""
        return remembered.arrange(usual, self._layers, self._record)

    def trying(self, plan: Plan) -> None:
        self._keep(lambda record: replace(record, trying=plan.device))

    def stopped(self) -> None:
        self._keep(lambda record: replace(record, trying=""))

    def refused(self, plan: Plan) -> None:
        self._keep(lambda record: remembered.refused(record, plan, self._layers))

    def worked(self, plan: Plan) -> None:
        self._keep(lambda record: remembered.worked(record, plan, self._layers))

    def _keep(self, change: Callable[[Record], Record]) -> None:
        if self._memory is not None:
            self._record = change(self._record)
            self._memory.keep(self._record)


def _layout(session: VisionSession, facts: ModelFacts) -> tuple[Layout, str]:
    """The layout of the model's own chat template, or the built-in one and why."""
    vocabulary = session.vocabulary
    tokens = Tokens(vocabulary.bos, vocabulary.eos, vocabulary.starts_with_bos)
    return layout_of(facts.template, PROJECTORS[facts.projector], tokens)


def _graphics() -> list[Device]:
    """Devices to offload to; none where this build of llama.cpp knows no graphics devices."""
    set_up()
    return devices_here() if llama.llama_supports_gpu_offload() else []
