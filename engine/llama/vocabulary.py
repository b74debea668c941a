"""Text to tokens and back, without losing long pieces or halves of characters."""

from __future__ import annotations

import codecs
import ctypes

from engine.llama.library import llama


class Vocabulary:
    """The vocabulary of a loaded model."""

    def __init__(self, model: int) -> None:
        self._vocab = llama.llama_model_get_vocab(model)
        self._pieces: dict[int, bytes] = {}
        self.size = int(llama.llama_vocab_n_tokens(self._vocab))
        self.bos = self._text(llama.llama_vocab_bos(self._vocab))
        self.eos = self._text(llama.llama_vocab_eos(self._vocab))
        self.starts_with_bos = bool(llama.llama_vocab_get_add_bos(self._vocab))

    @property
    def native(self) -> int:
        """The vocabulary as the library knows it."""
        return int(self._vocab)

    def _text(self, token: int) -> str:
        """A control token as templates write it, "" where there is none."""
        if not 0 <= token < self.size:
            return ""
        text: bytes = llama.llama_vocab_get_text(self._vocab, token) or b""
        return text.decode("utf-8", errors="replace")

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Tokens of a text. Only with `special` are control tokens recognised in it."""
        data = text.encode("utf-8")
        room = len(data) + 8
        while True:
            tokens = (llama.llama_token * room)()
            count = llama.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes of a token, however many; b"" for control tokens."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token, 32)
        return known

    def _read_piece(self, token: int, room: int) -> bytes:
        buffer = ctypes.create_string_buffer(room)
        count = llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
        if count < 0:  # longer than the buffer: the number tells how long
            return self._read_piece(token, -count)
        return buffer.raw[:count]

    def ends(self, token: int) -> bool:
        """Whether the token ends a turn or a text."""
        return bool(llama.llama_vocab_is_eog(self._vocab, token))


class TextDecoder:
    """Bytes of tokens to text, as far as characters are complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> str:
        """The text that has become complete."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """What is left: "" or a replacement character."""
        return self._decoder.decode(b"", final=True)
