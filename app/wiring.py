"""Where the application meets the engine: making a client, making a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from app.session import Picture

if TYPE_CHECKING:
    from engine.models.store import ModelFiles


class ModelClient:
    """An engine client that loads its model when first asked to, and keeps the best answer."""

    def __init__(self, model: ModelFiles) -> None:
        from engine.client import EngineClient
        from engine.improver import Improver, Wishes

        self._client = EngineClient(model)
        self._improver = Improver(self._client, Wishes(best_of=model.card.best_of, draw=True))

    @property
    def pid(self) -> int | None:
        """The process number of the engine, None while there is none."""
        return self._client.pid

    @property
    def takes_instructions(self) -> bool:
        """Whether the model can be told what to change."""
        return self._client.takes_instructions

    def warm_up(self) -> Iterator[Any]:
        self._improver.warm_up()
        return iter(self._client.start())

    def convert(self, request: Any) -> Iterator[Any]:
        return self._improver.convert(request)

    def appraise(self, image: bytes, code: str, target: str, lines: Any) -> Iterator[Any]:
        """Draw code that is there already and compare it with a picture."""
        return self._improver.appraise(image, code, target, lines)

    def cancel(self) -> None:
        self._improver.cancel()

    def close(self) -> None:
        self._client.close()
        self._improver.close()


def make_client(name: str) -> ModelClient:
    """A client for the model `name` (a name, folder or file; "" for the bundled one).

    Raises VisCodexError(model_missing, model_broken or model_mismatch).
    """
    from engine.models.store import BUNDLED, find_model

    return ModelClient(find_model(name or BUNDLED))


def make_request(picture: Picture, target: str, **wishes: Any) -> Any:
    """The engine's request for a conversion of `picture`.

    Wishes: refine (instruction, code), region, seed, temperature; as in `ConvertRequest`.
    """
    from engine.protocol import ConvertRequest

    return ConvertRequest(image=picture.png, target=target, **wishes)
