"""Where the application meets the engine: clients and requests, as the settings have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from app.session import Picture
from app.store.settings import Settings

if TYPE_CHECKING:
    from engine.client import EngineClient
    from engine.improver import Improver, Wishes
    from engine.remote.client import RemoteClient


class ModelClient:
    """An engine client that keeps the best answer; `wishes` are asked for at each request."""

    def __init__(
        self, client: EngineClient | RemoteClient, wishes: Callable[[int], Wishes]
    ) -> None:
        self._client = client
        self._wishes = wishes
        self._improver: Improver | None = None
        self._made_for: Wishes | None = None

    @property
    def pid(self) -> int | None:
        """The process number of the engine; None while there is none, or on a server."""
        return getattr(self._client, "pid", None)

    @property
    def takes_instructions(self) -> bool:
        """Whether the model can be told what to change."""
        return self._client.takes_instructions

    @property
    def goes_on(self) -> bool:
        """Whether it writes on where code was cut off."""
        return self._client.goes_on

    def warm_up(self) -> Iterator[Any]:
        self._present().warm_up()
        return iter(self._client.start())

    def leave_graphics(self) -> None:
        """Compute on the processor alone from now on."""
        self._client.leave_graphics()

    def convert(self, request: Any) -> Iterator[Any]:
        return self._present().convert(request)

    def appraise(self, image: bytes, code: str, target: str, lines: Any) -> Iterator[Any]:
        """Draw code that is there already and compare it with a picture."""
        return self._present().appraise(image, code, target, lines)

    def match(self, what: str, image: bytes, code: str, target: str, lines: Any) -> Iterator[Any]:
        """Change code by what is measured in a picture."""
        return self._present().match(what, image, code, target, lines)

    def cancel(self) -> None:
        if self._improver is not None:
            self._improver.cancel()
        else:
            self._client.cancel()

    def close(self) -> None:
        self._client.close()
        if self._improver is not None:
            self._improver.close()

    def _present(self) -> Improver:
        """The improver for what is wished now; requests come one after the other."""
        from engine.improver import Improver

        wishes = self._wishes(self._client.best_of)
        if self._improver is None or wishes != self._made_for:
            old, self._improver, self._made_for = (
                self._improver, Improver(self._client, wishes), wishes,
            )  # fmt: skip
            if old is not None:
                old.close()
        return self._improver


class Engine:
    """Makes clients and requests by the settings of that moment; for any thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def follow(self, settings: Settings) -> bool:
        """Take changed settings; whether they want another client."""
        before, self.settings = self.settings, settings
        if settings.remote is not None:
            return settings.remote != before.remote
        return before.remote is not None or settings.model != before.model

    def make_client(self) -> ModelClient:
        """A client for the server that is chosen, else for the model (a name, folder or file).

        Raises VisCodexError: model_missing, model_broken, model_mismatch; server_address.
        """
        return ModelClient(_client(self.settings), self.wishes)

    def wishes(self, best_of: int) -> Wishes:
        """What to do beyond one answer; `best_of` is the model's own number of answers."""
        from engine.improver import Wishes

        settings = self.settings
        return Wishes(
            best_of=settings.best_of or best_of,
            repairs=None if settings.repair else 0,
            split=settings.split,
            correct=settings.correct,
            draw=True,  # versions are shown with what they draw
            allow_unwalled=settings.unwalled,
        )

    def make_request(self, picture: Picture, target: str, **wishes: Any) -> Any:
        """The engine's request for a conversion of `picture`.

        Wishes: refine (instruction, code), region, seed, temperature; as in `ConvertRequest`.
        """
        from engine.protocol import ConvertRequest

        hints = self.settings.hints
        return ConvertRequest(image=picture.png, target=target, hints=hints, **wishes)


def _client(settings: Settings) -> EngineClient | RemoteClient:
    if settings.remote is not None:
        from engine.remote.client import RemoteClient
        from engine.remote.server import Server, find_key

        url = settings.remote.url
        return RemoteClient(Server.at(url, find_key(url)), settings.remote.model)
    from engine.client import EngineClient
    from engine.models.store import BUNDLED, find_model

    return EngineClient(find_model(settings.model or BUNDLED))
