"""The filter of system calls, run step by step as the kernel would, on both architectures."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from engine.sandbox.seccomp import ALLOW, CONDITIONS, DENY, KILL, UNKNOWN, YOUNG, program
from engine.sandbox.syscalls import ARCHITECTURES, SYSCALLS, X32_BIT, numbers

PID = 4321
MACHINES = tuple(ARCHITECTURES)
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}

# What must never be allowed, by number, from the kernel's tables and not from ours.
FORBIDDEN = {
    "x86_64": {
        "sockets": (41, 42, 43, 49, 50, 53, 44, 46, 288, 299, 307),
        "processes": (56, 57, 58, 59, 200, 101, 310, 311, 322, 109, 112),
        "pidfd": (424, 434, 438),
        "metadata": (90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280),
        "attributes": (188, 189, 190, 197, 198, 199, 463, 466, 468, 469),
        "links and nodes": (76, 86, 88, 265, 266, 133, 259),
        "mounts": (155, 161, 165, 166, 272, 308, 428, 429, 430, 431, 432, 433, 442),
        "kernel": (169, 175, 176, 246, 313, 320, 167, 168, 159, 164, 227, 305, 170, 171, 172, 173),
        "keys and counters": (248, 249, 250, 298, 321),
        "other doors": (304, 319, 323, 425, 426, 427, 435, 437),
        "shared memory": (29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71),
        "others' processes": (129, 297, 141, 251, 312, 256, 279, 440, 448, 160, 203, 144),
        "watching": (253, 254, 294, 300),
    },
    "aarch64": {
        "sockets": (198, 199, 200, 201, 202, 203, 206, 211, 242, 243, 269),
        "processes": (220, 221, 117, 130, 270, 271, 281, 154, 157),
        "pidfd": (424, 434, 438),
        "metadata": (52, 53, 54, 55, 88, 452),
        "attributes": (5, 6, 7, 14, 15, 16, 463, 466, 468, 469),
        "links and nodes": (45, 33, 36, 37),
        "mounts": (39, 40, 41, 51, 97, 268, 428, 429, 430, 431, 432, 433, 442),
        "kernel": (104, 105, 106, 142, 273, 294, 224, 225, 112, 170, 171, 266, 161, 162),
        "keys and counters": (217, 218, 219, 241, 280),
        "other doors": (265, 279, 282, 425, 426, 427, 435, 437),
        "shared memory": (194, 195, 196, 197, 190, 191, 193, 186, 187, 188, 189, 180),
        "others' processes": (138, 240, 140, 30, 272, 238, 239, 440, 448, 164, 122, 119),
        "watching": (26, 27, 262),
    },
}


def steps(machine: str) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("<HBBI", program(machine, PID)))


def run(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel's machine for classic BPF would answer."""
    own = ARCHITECTURES[machine][0] if architecture is None else architecture
    values = [value & 0xFFFFFFFFFFFFFFFF for value in (*arguments, *[7] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, own, 0, *values)
    code, place, register = steps(machine), 0, 0
    while True:
        operation, true, false, value = code[place]
        place += 1
        if operation == 0x20:  # load a word
            assert value % 4 == 0
            (register,) = struct.unpack_from("<I", data, value)
        elif operation == 0x54:  # and
            register &= value
        elif operation == 0x06:  # return
            return value
        else:
            holds = {0x15: register == value, 0x25: register > value, 0x35: register >= value}
            place += true if holds[operation] else false


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_is_one_the_kernel_takes(machine: str) -> None:
    code = steps(machine)
    assert len(program(machine, PID)) == 8 * len(code)
    assert 0 < len(code) <= 4096
    assert code[0] == (0x20, 0, 0, 4)  # the architecture first
    for place, (operation, true, false, _) in enumerate(code):
        assert operation in (0x20, 0x54, 0x06, 0x15, 0x25, 0x35)
        assert place + 1 + max(true, false) < len(code) or operation == 0x06
    assert code[-1][0] == 0x06


@pytest.mark.parametrize("machine", MACHINES)
def test_exactly_the_table_is_allowed(machine: str) -> None:
    calls = numbers(machine)
    plain = {number for name, number in calls.items() if name not in CONDITIONS}
    asked = {calls[name] for name in CONDITIONS if name in calls}
    for number in range(1024):
        if number in asked:
            continue
        wanted = ALLOW if number in plain else UNKNOWN if number >= YOUNG else DENY
        assert run(machine, number) == wanted, number


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_forbidden_is_refused(machine: str) -> None:
    for group, refused in FORBIDDEN[machine].items():
        for number in refused:
            assert run(machine, number, 0, 0, 0) in (DENY, UNKNOWN), (group, number)


@pytest.mark.parametrize("machine", MACHINES)
def test_other_architectures_and_conventions_end_the_process(machine: str) -> None:
    read = numbers(machine)["read"]
    others = [value for value, _ in ARCHITECTURES.values()] + [0x40000003, 0x40000028]
    for other in others:
        wanted = ALLOW if other == ARCHITECTURES[machine][0] else KILL
        assert run(machine, read, architecture=other) == wanted
    if machine == "x86_64":
        assert run(machine, X32_BIT + 39) == run(machine, 0xFFFFFFFF) == KILL
    else:
        assert run(machine, 0xFFFFFFFF) == UNKNOWN


OPEN_TRUNCATED, OPEN_AND_EMPTY, OPEN_ODD = 0x241, 0x200, 0x203
CASES = [
    ("openat", (-100, 1, 0), True),
    ("openat", (-100, 1, 0x80000), True),
    ("openat", (-100, 1, OPEN_TRUNCATED), True),
    ("openat", (-100, 1, OPEN_AND_EMPTY), False),
    ("openat", (-100, 1, OPEN_ODD), False),
    ("openat", (-100, 1, 3), False),
    ("kill", (PID, 9), True),
    ("kill", (PID + (5 << 32), 9), True),  # the kernel looks at 32 bits only
    ("kill", (PID - 1, 0), False),
    ("kill", (0, 9), False),
    ("kill", (-1, 9), False),
    ("kill", (-PID, 9), False),
    ("tgkill", (PID, 1, 6), True),
    ("tgkill", (PID + 1, 1, 6), False),
    ("prlimit64", (0, 7, 0, 99), True),
    ("prlimit64", (PID, 7, 0, 99), True),
    ("prlimit64", (1, 7, 0, 99), False),
    ("prlimit64", (0, 7, 99, 0), False),
    ("prlimit64", (0, 7, 1 << 32, 0), False),
    ("ioctl", (0, 0x5401), True),
    ("ioctl", (0, 0x5412), False),  # TIOCSTI types into the terminal
    ("fcntl", (3, 2), True),
    ("fcntl", (3, 1030), True),
    ("fcntl", (3, 8), False),  # F_SETOWN
    ("fcntl", (3, 1024), False),  # F_SETLEASE
    ("prctl", (15,), True),
    ("prctl", (1,), False),  # PR_SET_PDEATHSIG
    ("prctl", (4,), False),  # PR_SET_DUMPABLE
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "arguments", "allowed"), CASES)
def test_conditions(machine: str, name: str, arguments: tuple[int, ...], allowed: bool) -> None:
    wanted = ALLOW if allowed else DENY
    assert run(machine, numbers(machine)[name], *arguments) == wanted


def test_every_condition_is_tried_both_ways() -> None:
    for name in CONDITIONS:
        if name != "open":  # the same as openat, one argument earlier
            assert {allowed for case, _, allowed in CASES if case == name} == {True, False}
    assert run("x86_64", numbers("x86_64")["open"], 1, OPEN_AND_EMPTY) == DENY
    assert run("x86_64", numbers("x86_64")["open"], 1, OPEN_TRUNCATED) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernel_headers(machine: str) -> None:
    header = next((Path(path) for path in HEADERS[machine] if Path(path).exists()), None)
    if header is None:
        pytest.skip("no kernel headers here")
    text = header.read_text()
    kernel = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    if machine == "aarch64":
        kernel |= {"newfstatat": kernel["fstatat"]}
    ours = numbers(machine)
    assert ours == {name: kernel[name] for name in ours}
    absent = {name for name in SYSCALLS if name not in ours}
    assert not absent & kernel.keys()


def test_an_unknown_machine_has_no_program() -> None:
    with pytest.raises(KeyError):
        program("riscv64", PID)
