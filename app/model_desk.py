"""What becomes of the model: loaded, failed, stopped, left for the processor. Without widgets."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject

from app.asides import Asides
from app.bridge import EngineBridge
from app.i18n import _
from app.session import EngineState, Failure, State
from app.versioning import VersionDesk

LOADS = 0
"""The number of requests that only load a model."""
ON_GRAPHICS = {"worker_died": "graphics_crashed", "out_of_memory": "graphics_memory"}
"""Errors the graphics card can be to blame for -> how they are told while one is in use."""


class ModelDesk(VersionDesk):
    """A desk whose conversions are written by a model that has to be loaded first."""

    def __init__(self, bridge: EngineBridge, asides: Asides, parent: QObject | None = None) -> None:
        super().__init__(asides, parent)
        self._bridge = bridge
        self._missing = False  # whether there was no model when one was last wanted

    def _current(self, run: int) -> bool:
        return run == self.session.run and self.session.busy

    # What people do -----------------------------------------------------------------------------

    def load(self) -> None:
        """Load the model in the background."""
        self._bridge.load()

    def stop_loading(self) -> None:
        """Stop a load that no conversion waits for; the next conversion loads it after all."""
        if self.session.can_stop_loading:
            self._bridge.cancel_load()

    # What the engine tells ------------------------------------------------------------------------

    def _loading(self, run: int, event: Any) -> None:
        # A load of its own (run 0) is that of the model a waiting conversion will use.
        if run == LOADS or self._current(run):
            self.session.engine_loading(event.fraction)

    def _ready(self, run: int, event: Any) -> None:
        missing, self._missing = self._missing, False
        self.session.takes_instructions = self._bridge.takes_instructions
        self.session.engine_ready(event.model, event.device, event.note, event.graphics)
        if missing and self.auto_start and self.session.state is State.READY:
            self.generate()  # the picture that waited for a model; the others follow
        elif missing:
            self._go_on()

    def _load_failed(self, failure: Failure) -> None:
        """A load of its own did not work; where a conversion waits, its own will tell."""
        self._engine_failed(failure)
        if not self.session.busy:
            self.trouble.emit(failure)

    def _engine_failed(self, failure: Failure) -> None:
        self._missing = failure.code == "model_missing"
        state = EngineState.MISSING if self._missing else EngineState.FAILED
        self.session.engine_changed(state)

    def _load_ended(self) -> None:
        """A load is over; one that ended without a word was stopped."""
        if self.session.engine is EngineState.LOADING and not self.session.busy:
            self.session.engine_changed(EngineState.IDLE)

    def _blamed(self, failure: Failure) -> Failure:
        """How the failure of a conversion is told, and what becomes of the model by it.

        An engine that died starts anew; one that died with a graphics card on the processor alone.
        """
        session, graphics = self.session, self.session.graphics
        if session.engine is not EngineState.READY:
            if session.state is State.LOADING:
                self._engine_failed(failure)
        elif failure.code == "worker_died":
            session.engine_changed(EngineState.CRASHED)
            (self._bridge.leave_graphics if graphics else self._bridge.load)()
        if graphics and failure.code in ON_GRAPHICS:
            return Failure(ON_GRAPHICS[failure.code], failure.message)
        return failure

    @staticmethod
    def _without_answer() -> Failure:
        return Failure("worker_died", _("The model process ended without an answer."))
