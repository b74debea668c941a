"""The command, or the job file, that starts a training on one machine or many.

All ways end in the same contract: the rendezvous of torchrun in the environment, a folder that all
machines share, and states that `--resume` goes on from. Nothing here knows a cluster: everything is
text made from the recipe.
"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from engine.errors import ErrorCode, VisCodexError
from training.sft.recipe import Machines, SftRecipe
from training.tensors import write_beside

PORT = 29500
RESTARTS = 3


@dataclass(frozen=True)
class Job:
    """What to start: the recipe and its file, and the folder of the result.

    `head` is the address of the first machine and `rank` the number of this one, for the ways that
    start on every machine by hand.
    """

    file: Path
    recipe: SftRecipe
    out: Path
    head: str
    rank: int = 0

    @property
    def machines(self) -> Machines:
        """What it is to run on."""
        return self.recipe.machines

    @property
    def name(self) -> str:
        """The name of the job."""
        return f"sft-{self.recipe.name}"

    @property
    def module(self) -> list[str]:
        """The program that every process runs. It goes on where it was stopped."""
        return ["-m", "training.cli", "sft", str(self.file), "--out", str(self.out), "--resume"]


@dataclass(frozen=True)
class Launch:
    """A command, and the files (name -> text) it wants in the folder that `{}` stands for."""

    command: list[str]
    files: Mapping[str, str] = field(default_factory=dict)

    def placed(self, folder: Path) -> list[str]:
        """The command with the folder of the files filled in."""
        return [part.replace("{}", str(folder)) for part in self.command]


def ready(made: Launch, place: Path) -> list[str]:
    """Write the files of a launch into the folder `place`; the command to run.

    Raises VisCodexError(bad_input) where its program is not on this machine.
    """
    command = made.placed(place)
    if shutil.which(command[0]) is None:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no '{command[0]}' on this machine.",
            "Install it, or print the job with --dry-run and start it where there is.",
        )
    for name, text in made.files.items():
        place.mkdir(parents=True, exist_ok=True)
        write_beside(place / name, text)
    return command


def local(job: Job) -> Launch:
    """One process here."""
    return Launch([sys.executable, *job.module])


def torchrun(job: Job) -> Launch:
    """Processes on this machine; with several machines the same command on each of them."""
    return Launch([sys.executable, "-m", "torch.distributed.run", *_rendezvous(job), *job.module])


def _rendezvous(job: Job) -> list[str]:
    machines = job.machines
    options = [f"--nnodes={machines.nodes}", f"--nproc-per-node={machines.processes}"]
    if machines.nodes == 1:
        return [*options, "--standalone"]
    return [
        *options,
        f"--max-restarts={RESTARTS}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={job.name}",
        f"--rdzv-endpoint={job.head}:{PORT}",
    ]


def accelerate(job: Job) -> Launch:
    """The launcher of accelerate with a configuration of its own, FSDP2 included."""
    config = yaml.safe_dump(accelerate_config(job), sort_keys=False)
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", "{}/accelerate.yaml", *job.module]
    return Launch(command, {"accelerate.yaml": config})


def accelerate_config(job: Job) -> dict[str, Any]:
    """The configuration file of accelerate."""
    machines = job.machines
    spread = machines.fsdp and machines.world > 1
    kind = "MULTI_CPU" if machines.device == "cpu" else "MULTI_GPU"
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if spread else kind if machines.world > 1 else "NO",
        "mixed_precision": "no",  # the recipe decides
        "num_machines": machines.nodes,
        "num_processes": machines.world,
        "machine_rank": job.rank,
        "main_process_port": PORT,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": machines.device == "cpu",
    }
    if machines.nodes > 1:
        config["main_process_ip"] = job.head
    if spread:
        config["fsdp_config"] = {
            "fsdp_version": 2,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_transformer_layer_cls_to_wrap": machines.wrap,
            "fsdp_reshard_after_forward": True,
            "fsdp_cpu_ram_efficient_loading": False,
            "fsdp_offload_params": machines.offload,
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        }
    return config


_SLURM = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
{gpus}#SBATCH --time={time}
#SBATCH --output={out}.%j.log
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
# The folder of the recipe and {out} must be on a disk that all machines share.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
srun --kill-on-bad-exit=1 {python} -m torch.distributed.run \\
  --nnodes={nodes} --nproc-per-node={processes} --max-restarts={restarts} \\
  --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" --rdzv-endpoint="$head:{port}" \\
  {module}
"""


def slurm(job: Job) -> Launch:
    """A batch job: one torchrun a machine, the first machine is the rendezvous."""
    machines = job.machines
    gpu = machines.device == "gpu"
    minutes = math.ceil(machines.hours * 60)
    text = _SLURM.format(
        name=job.name,
        nodes=machines.nodes,
        processes=machines.processes,
        gpus=f"#SBATCH --gpus-per-node={machines.processes}\n" if gpu else "",
        time=f"{minutes // 60}:{minutes % 60:02}:00",
        out=job.out,
        python=shlex.quote(sys.executable),
        restarts=RESTARTS,
        port=PORT,
        module=shlex.join(job.module),
    )
    return Launch(["sbatch", "{}/job.sh"], {"job.sh": text})


_RAY = '''"""{name} on Ray: every worker is a process of the same training."""

import sys

from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer


def train(config):
    from training.cli import main

    sys.argv = ["viscodex-train", *config["arguments"]]
    main()


TorchTrainer(
    train,
    train_loop_config={config},
    torch_config=TorchConfig(backend={backend}),
    scaling_config=ScalingConfig(num_workers={workers}, use_gpu={gpu}),
    run_config=RunConfig(name={name!r}, storage_path={storage}),
).fit()
'''


def ray(job: Job) -> Launch:
    """A job of Ray Train, whose workers find each other as under torchrun."""
    gpu = job.machines.device == "gpu"
    text = _RAY.format(
        name=job.name,
        config=json.dumps({"arguments": job.module[2:]}),
        backend=json.dumps("nccl" if gpu else "gloo"),
        workers=job.machines.world,
        gpu=gpu,
        storage=json.dumps(str(job.out.absolute().parent / "ray")),
    )
    command = ["ray", "job", "submit", "--working-dir", ".", "--", "python", "{}/job.py"]
    return Launch(command, {"job.py": text})


def sky(job: Job) -> Launch:
    """A task of SkyPilot: it finds machines, sets them up and starts torchrun on each. States go
    into a bucket, so that a machine that is taken away costs little."""
    machines = job.machines
    module = replace(job, out=Path("/runs") / job.out.name).module
    python = ".venv/bin/python"
    run = "\n".join(
        [
            'head=$(echo "$SKYPILOT_NODE_IPS" | sed -n 1p)',
            f"{python} -m torch.distributed.run --nnodes=$SKYPILOT_NUM_NODES \\",
            f"  --nproc-per-node={machines.processes} --max-restarts={RESTARTS} \\",
            f'  --rdzv-backend=c10d --rdzv-id={job.name} --rdzv-endpoint="$head:{PORT}" \\',
            f"  {shlex.join(module)}",
            "",
        ]
    )
    resources: dict[str, Any] = {"use_spot": True}
    if machines.device == "gpu":
        kind = "H100" if machines.memory > 48 else "L40S" if machines.memory > 24 else "L4"
        resources["accelerators"] = f"{kind}:{machines.processes}"
    task = {
        "name": job.name,
        "num_nodes": machines.nodes,
        "resources": resources,
        "workdir": ".",
        "file_mounts": {"/runs": {"name": job.name, "mode": "MOUNT"}},
        "setup": "python3 -m venv .venv\n"
        ".venv/bin/python -m pip install -c constraints.txt -e '.[training]'\n",
        "run": run,
    }
    text = yaml.dump(task, Dumper=_Blocks, sort_keys=False, width=1000)
    return Launch(["sky", "jobs", "launch", "--yes", "{}/task.yaml"], {"task.yaml": text})


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> Any:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Blocks.add_representer(str, _text)

WAYS: Mapping[str, Callable[[Job], Launch]] = {
    "local": local,
    "torchrun": torchrun,
    "accelerate": accelerate,
    "slurm": slurm,
    "ray": ray,
    "sky": sky,
}
