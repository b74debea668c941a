"""What set-up has to know of the machine: its processor and its Debian packages."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

# Alternatives of one package in several releases are joined by |, the first known one is taken.
APP_PACKAGES = (
    "libasound2t64|libasound2",
    "libdbus-1-3",
    "libdrm2",
    "libegl1",
    "libfontconfig1",
    "libfreetype6",
    "libgbm1",
    "libgl1",
    "libglib2.0-0t64|libglib2.0-0",
    "libnspr4",
    "libnss3",
    "libopengl0",
    "libx11-xcb1",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xkb1",
    "libxcomposite1",
    "libxdamage1",
    "libxkbcommon-x11-0",
    "libxkbcommon0",
    "libxkbfile1",
    "libxrandr2",
    "libxtst6",
    "fonts-dejavu-core",
    "fonts-liberation",
)
# A real screen for the capture tests, and the fonts the page generator draws with.
DEV_PACKAGES = (
    "dbus",
    "desktop-file-utils",
    "fonts-cantarell",
    "fonts-crosextra-carlito",
    "fonts-croscore",
    "fonts-dejavu-extra",
    "fonts-firacode",
    "fonts-freefont-ttf",
    "fonts-inter",
    "fonts-lato",
    "fonts-noto-core",
    "fonts-open-sans",
    "fonts-quicksand",
    "fonts-roboto",
    "openbox",
    "xdotool",
    "xvfb",
)
PACKAGES = {"app": APP_PACKAGES, "dev": APP_PACKAGES + DEV_PACKAGES}

# /proc/cpuinfo flag -> ggml's build option for it.
X86_OPTIONS = {
    "sse4_2": "SSE42",
    "avx": "AVX",
    "avx2": "AVX2",
    "bmi2": "BMI2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX512",
    "avx512vbmi": "AVX512_VBMI",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "avx_vnni": "AVX_VNNI",
    "amx_tile": "AMX_TILE",
    "amx_int8": "AMX_INT8",
    "amx_bf16": "AMX_BF16",
}
HEADER = "amx_tile_config.h"  # for every source of llama.cpp
# ggml's single AVX512 option lets the compiler use all of these.
AVX512_PARTS = {"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"}


def cpu_flags(cpuinfo: str | None = None) -> frozenset[str]:
    """Instruction sets of the first processor, from the text of /proc/cpuinfo; empty elsewhere."""
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(found.group(1).split()) if found else frozenset()


def build_flags(flags: frozenset[str] | None = None) -> list[str]:
    """CMake options that build llama.cpp with what the operating system says the processor has.

    The usual -march=native asks the processor itself, which may promise more than a virtual
    machine lets through. Where no flags are known, the compiler decides.
    """
    flags = cpu_flags() if flags is None else flags
    if not flags & X86_OPTIONS.keys():
        return ["-DGGML_NATIVE=ON"]
    if not flags >= AVX512_PARTS:
        flags = frozenset(flag for flag in flags if not flag.startswith("avx512"))
    options = (
        f"-DGGML_{option}={'ON' if flag in flags else 'OFF'}"
        for flag, option in X86_OPTIONS.items()
    )
    return ["-DGGML_NATIVE=OFF", *options]


def build_environment(options: str = "") -> dict[str, str]:
    """What the compilers of llama.cpp are told: ours, and what the environment says; `options`
    are the user's for CMake, such as -DGGML_CUDA=ON."""
    # Every compiler of this platform knows -include; the header keeps to those that need it.
    ours = f"-include {HEADER}"
    told = {name: f"{ours} {os.environ.get(name, '')}".strip() for name in ("CFLAGS", "CXXFLAGS")}
    places = (str(Path(__file__).parent), os.environ.get("CPATH", ""))
    return {
        **told,
        "CMAKE_ARGS": " ".join([*build_flags(), *options.split()]),
        "CPATH": os.pathsep.join(place for place in places if place),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
    }


def build_key(library: str, options: str = "") -> str:
    """Names a build of llama.cpp: the same for a library of one version built in the same way for
    a processor with the same instructions."""
    told = build_environment(options)
    parts = [library, platform.machine(), told["CMAKE_ARGS"], told["CFLAGS"], told["CXXFLAGS"]]
    if "-DGGML_NATIVE=ON" in parts[2]:
        parts += [platform.processor(), *sorted(cpu_flags())]
    header = (Path(__file__).parent / HEADER).read_bytes()
    return hashlib.sha256("\n".join(parts).encode() + header).hexdigest()[:16]


def cache_folder() -> Path:
    """Where this user's programs keep what can be made again."""
    fallback = Path.home() / ("Library/Caches" if platform.system() == "Darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or fallback) / "viscodex"


def _answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _is_installed(package: str) -> bool:
    return "install ok installed" in _answer("dpkg-query", "-W", "-f", "${Status}", package)


def _is_known(package: str) -> bool:
    candidate = re.search(r"Candidate: (\S+)", _answer("apt-cache", "policy", package))
    return candidate is not None and candidate.group(1) != "(none)"


def missing_packages(level: str) -> list[str]:
    """Debian packages of a level that are not installed; empty where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return []
    missing = []
    for names in PACKAGES[level]:
        choices = names.split("|")
        if any(_is_installed(name) for name in choices):
            continue
        missing.append(next((name for name in choices if _is_known(name)), choices[-1]))
    return missing
