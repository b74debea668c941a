"""Runs llama.cpp's own converter and quantizer: SOURCES CHECKPOINT OUT TYPE...

Writes OUT/text-TYPE.gguf and OUT/vision-TYPE.gguf. A K-quant is made of a BF16 file with
llama.cpp's quantizer as it is set by default; its vision file is Q8_0. Two things of the converter
are set aside: it knows tokenizers by a hash of what they make of a text, and so none of our own;
and it looks for sentencepiece, which these models do not use.
"""

from __future__ import annotations

import importlib.machinery
import runpy
import sys
import types
from pathlib import Path

CONVERTED = ("F32", "F16", "BF16", "Q8_0")


def main(sources: str, checkpoint: str, out: str, *kinds: str) -> None:
    """Convert once for each type and each of the two files."""
    sys.path[:0] = [sources, f"{sources}/gguf-py"]
    absent = types.ModuleType("sentencepiece")
    absent.__spec__ = importlib.machinery.ModuleSpec("sentencepiece", None)
    absent.__dict__["SentencePieceProcessor"] = None
    sys.modules["sentencepiece"] = absent
    base = importlib.import_module("conversion.base")
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
    for kind in kinds:
        plain = kind in CONVERTED
        text = Path(out, f"text-{kind}.gguf" if plain else "text-BF16.part.gguf")
        _convert(sources, checkpoint, text, kind if plain else "BF16")
        vision = Path(out, f"vision-{kind}.gguf")
        _convert(sources, checkpoint, vision, kind if plain else "Q8_0", "--mmproj")
        if not plain:
            _quantize(text, Path(out, f"text-{kind}.gguf"), kind)
            text.unlink()


def _convert(sources: str, checkpoint: str, out: Path, kind: str, *more: str) -> None:
    sys.argv = ["convert", checkpoint, "--outfile", str(out), "--outtype", kind.lower(), *more]
    runpy.run_path(f"{sources}/convert_hf_to_gguf.py", run_name="__main__")


def _quantize(source: Path, out: Path, kind: str) -> None:
    import ctypes

    from llama_cpp import llama_cpp as llama

    params = llama.llama_model_quantize_default_params()
    params.ftype = getattr(llama, f"LLAMA_FTYPE_MOSTLY_{kind}")
    if llama.llama_model_quantize(bytes(source), bytes(out), ctypes.byref(params)):
        raise SystemExit(f"llama.cpp could not quantize to {kind}")


if __name__ == "__main__":
    main(*sys.argv[1:])
