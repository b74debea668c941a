"""A fine-tuning from recipe to finished checkpoint."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import (
    AutoModelForImageTextToText,
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
)
from transformers.trainer import TRAINER_STATE_NAME
from trl import SFTConfig

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from training.checkpoint import Checkpoint, open_checkpoint
from training.hub import find_checkpoint
from training.names import FAMILIES, has_vision
from training.nano.trainer import fastest_dtype, keep_memory
from training.sft.collate import Collator
from training.sft.encode import RecordEncoder
from training.sft.freeze import check_trainable, freeze, lora_config, summary
from training.sft.recipe import SftRecipe
from training.sft.rows import Rows, prepare_rows
from training.sft.samples import Samples
from training.sft.save import write_full, write_merged
from training.sft.trainer import METRICS, JsonLines, RowTrainer, full_weights, plot_log
from training.tensors import write_beside

STATES, ROWS, MODEL, ADAPTER, SETTINGS = "states", "rows", "model", "adapter", "sft.json"
PLOT, TRAINED = "losses.png", "trained.txt"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Begun:
    """What a run is made of, before its model is loaded."""

    recipe: SftRecipe
    base: Checkpoint
    limits: ImageLimits
    encoder: RecordEncoder


def open_base(recipe: SftRecipe) -> Begun:
    """Find the checkpoint of a recipe. Raises VisCodexError where it cannot be trained."""
    families = [family for family in FAMILIES if has_vision(family)]
    base = open_checkpoint(find_checkpoint(recipe.model), families, "trained")
    factor = base.vision.integer("patch_size") * base.vision.integer("spatial_merge_size")
    limits = recipe.picture.limits(factor)
    return Begun(
        recipe, base, limits, RecordEncoder(base.folder, recipe.prompt, limits, recipe.seed)
    )


def fsdp_config(recipe: SftRecipe) -> dict[str, Any]:
    """FSDP2: the layers of the language model are wrapped one by one. The tower stays in the outer
    group, which every device gathers whether its samples have pictures or not: a device without
    any would leave those that wait for the tower's parts waiting for ever."""
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": [recipe.machines.wrap],
        "reshard_after_forward": True,
        "cpu_ram_efficient_loading": False,
        "cpu_offload": recipe.machines.offload,
        # Each device writes its own part: gathered, the states of a 33B would take 400 GB.
        "state_dict_type": "SHARDED_STATE_DICT",
    }


def sft(
    recipe: SftRecipe, out: Path, *, resume: bool = False, report: Report = print
) -> Path | None:
    """Train, and write `out`/model. `resume` goes on from the last state in `out`.

    Returns the folder of the model in the first process, None in others. Raises VisCodexError.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    tell: Report = report if state.is_main_process else lambda text: None
    check_quantized(recipe)
    begun = open_base(recipe)
    world = int(state.num_processes)
    try:
        accumulate = recipe.accumulate(world)
    except ValueError as error:
        raise VisCodexError(ErrorCode.bad_input, f"{error}.", "Change the batch.") from None
    rows = prepare(begun, out, resume=resume, report=tell)
    bf16 = _takes_bf16(recipe, out, resume=resume)
    for line in describe_rows(rows):
        tell(line)
    trainer, names = trainer_of(begun, rows, out, accumulate, bf16=bf16, tell=tell)
    if state.is_main_process:
        write_beside(out / TRAINED, "".join(f"{name}\n" for name in names))
    begun_before = resume and (out / STATES).is_dir()
    last = last_state(out / STATES) if begun_before else None
    if last is not None:
        tell(f"resume: {last.name}")
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    return _finish(trainer, begun, out, names, tell)


def last_state(folder: Path) -> Path | None:
    """The newest whole state; one that a killed run left half-written lacks what is written last.

    It will be written again when the training comes to its step."""
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path)]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_whole(state: Path) -> bool:
    try:
        return bool(json.loads((state / TRAINER_STATE_NAME).read_text())["global_step"])
    except (OSError, ValueError, KeyError):
        return False


def prepare(begun: Begun, out: Path, *, resume: bool, report: Report) -> Rows:
    """Make the folder of the result and its rows, in the first process before all others."""
    state = PartialState()
    if state.is_main_process:
        _prepare_folder(out, begun.recipe, resume=resume)
    with state.main_process_first():
        return prepare_rows(
            begun.recipe, begun.base.folder, begun.limits, out / ROWS, report=report
        )


def describe_rows(rows: Rows) -> list[str]:
    """What is trained on, in words."""
    held = 0 if rows.held_out is None else len(rows.held_out)
    lines = [f"rows: {len(rows.train)} with {rows.tokens} tokens, {held} held out"]
    if rows.dropped:
        what = ", ".join(f"{count} {reason}" for reason, count in sorted(rows.dropped.items()))
        lines.append(f"dropped: {what}")
    return lines


def _prepare_folder(out: Path, recipe: SftRecipe, *, resume: bool) -> None:
    settings = out / SETTINGS
    said = recipe.model_dump(mode="json")
    if settings.exists():
        if not resume:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"'{out}' holds a training that was begun.",
                "Go on with --resume, or choose another folder.",
            )
        before = json.loads(settings.read_text())["recipe"]
        free = ("machines", "workers", "keep", "log_every", "samples", "device_batch")
        changed = [key for key in said if before.get(key) != said[key] and key not in free]
        if changed:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"'{out}' was begun with another recipe ({', '.join(changed)} differ).",
                "Choose another folder, or give the recipe it was begun with.",
            )
        return
    if out.exists() and any(out.iterdir()):
        raise VisCodexError(
            ErrorCode.bad_input, f"The folder '{out}' is not empty.", "Choose another."
        )
    out.mkdir(parents=True, exist_ok=True)
    write_beside(settings, json.dumps({"recipe": said}, indent=1) + "\n")


def _takes_bf16(recipe: SftRecipe, out: Path, *, resume: bool) -> bool:
    """Whether to compute in bfloat16: as the recipe says, else what this machine is fastest at;
    chosen once, for all processes and for every time the run goes on."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    settings = json.loads((out / SETTINGS).read_text())
    if "bf16" not in settings:
        if torch.cuda.is_available():
            chosen = torch.cuda.is_bf16_supported()
        else:
            chosen = fastest_dtype() is torch.bfloat16
        chosen = broadcast_object_list([chosen])[0]
        settings["bf16"] = chosen
        if PartialState().is_main_process:
            write_beside(out / SETTINGS, json.dumps(settings, indent=1) + "\n")
    return bool(settings["bf16"])


def check_quantized(recipe: SftRecipe) -> None:
    """Raise VisCodexError(bad_input) where 4-bit weights are wanted and cannot be had here."""
    if recipe.lora is None or not recipe.lora.quantize:
        return
    lacking = [
        what
        for what, there in (
            ("an NVIDIA card", torch.cuda.is_available()),
            ("the package bitsandbytes", importlib.util.find_spec("bitsandbytes") is not None),
        )
        if not there
    ]
    if lacking:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"4-bit weights (lora.quantize) need {' and '.join(lacking)}.",
            "Leave `quantize` out of the recipe, or run it where that is.",
        )


def load_model(begun: Begun, *, bf16: bool) -> Any:
    """The model of a checkpoint. What moves is kept in float32, since steps of small rates are
    lost in bfloat16; beside adapters the weights are as they are computed with."""
    lora = begun.recipe.lora
    more: dict[str, Any] = {}
    if lora is not None and lora.quantize:
        from transformers import BitsAndBytesConfig

        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=lora.quantize,
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_use_double_quant=True,
            llm_int8_skip_modules=["visual", "lm_head"],
        )
    dtype = torch.bfloat16 if bf16 and lora is not None else torch.float32
    return AutoModelForImageTextToText.from_pretrained(begun.base.folder, dtype=dtype, **more)


def trainer_of(
    begun: Begun, rows: Rows, out: Path, accumulate: int, *, bf16: bool, tell: Report
) -> tuple[RowTrainer, list[str]]:
    """The trainer of a run, and the names of the tensors that it moves."""
    recipe, family = begun.recipe, begun.base.family
    if not torch.cuda.is_available():
        keep_memory()
    model = load_model(begun, bf16=bf16)
    layer = type(model.model.language_model.layers[0]).__name__
    if recipe.machines.fsdp and recipe.machines.wrap != layer:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"The layers of this model are of the class {layer}, not {recipe.machines.wrap}.",
            "Correct machines.wrap in the recipe.",
        )
    freeze(model, family, recipe.train)
    encoder = begun.encoder
    pad = encoder.tokenizer.pad_token_id
    collator = Collator(
        begun.base,
        begun.limits,
        encoder.picture_token,
        encoder.stop if pad is None else pad,
    )
    callbacks: list[TrainerCallback] = [JsonLines(out / METRICS, tell), *_tensorboard(out)]
    if recipe.early_stop is not None:
        callbacks.append(EarlyStoppingCallback(recipe.early_stop))
    trainer = RowTrainer(
        batch=recipe.batch,
        model=model,
        args=settings_of(begun, out, accumulate, bf16=bf16, held_out=rows.held_out is not None),
        data_collator=collator,
        train_dataset=rows.train,
        eval_dataset=rows.held_out,
        processing_class=encoder.tokenizer,
        callbacks=callbacks,
        peft_config=None if recipe.lora is None else lora_config(recipe.lora),
    )
    trainer.remove_callback(PrinterCallback)
    names = check_trainable(trainer.model, family, recipe.train, lora=recipe.lora is not None)
    parameters = dict(trainer.model.named_parameters())
    count = sum(parameters[name].numel() for name in names)
    world = trainer.accelerator.num_processes
    spread = "spread by FSDP2" if trainer.accelerator.is_fsdp2 else "whole in each"
    tell(
        f"trained: {len(names)} tensors, {count} parameters, {'bf16' if bf16 else 'fp32'}; "
        f"{world} process(es), weights {spread}"
    )
    for line in summary(names):
        tell(f"  {line}")
    if rows.held_out is not None and recipe.samples.count:
        samples = Samples(
            trainer, rows.held_out, recipe.samples, collator, encoder.tokenizer, encoder.stop,
            out, tell,
        )  # fmt: skip
        trainer.add_callback(samples)
    return trainer, names


def settings_of(
    begun: Begun, out: Path, accumulate: int, *, bf16: bool, held_out: bool
) -> SFTConfig:
    """The recipe in the terms of transformers and TRL."""
    recipe = begun.recipe
    cpu = not torch.cuda.is_available()
    more: dict[str, Any] = {}
    if recipe.machines.fsdp and PartialState().num_processes > 1:  # whoever launched it
        more = {"fsdp": True, "fsdp_config": fsdp_config(recipe)}
    if held_out:
        more |= {"eval_strategy": "steps", "eval_steps": recipe.evaluate_every}
    if recipe.early_stop is not None:
        more |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    if recipe.gradient_checkpointing:
        more["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    return SFTConfig(
        output_dir=str(out / STATES),
        seed=recipe.seed,
        max_steps=recipe.steps or -1,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.device_batch,
        per_device_eval_batch_size=recipe.device_batch,
        gradient_accumulation_steps=accumulate,
        learning_rate=recipe.rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        bf16=bf16,
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and PartialState().num_processes > 1 else None,
        ddp_find_unused_parameters=False,
        gradient_checkpointing=recipe.gradient_checkpointing,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=not cpu,
        remove_unused_columns=False,
        prediction_loss_only=True,
        # The rows are token numbers already, and none is too long.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        logging_steps=min(recipe.log_every, recipe.steps or recipe.log_every),
        save_steps=recipe.save_every,
        save_total_limit=recipe.keep,
        report_to=[],
        disable_tqdm=True,
        **more,
    )


def _tensorboard(out: Path) -> list[TrainerCallback]:
    """Curves for TensorBoard, where it is installed."""
    if importlib.util.find_spec("tensorboard") is None or not PartialState().is_main_process:
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    return [TensorBoardCallback(SummaryWriter(log_dir=str(out / "tensorboard")))]


def _finish(
    trainer: RowTrainer, begun: Begun, out: Path, names: list[str], tell: Report
) -> Path | None:
    """Write the model and the plot; the states stay, for a longer run to go on from."""
    model = None
    if begun.recipe.lora is not None:
        adapter = out / ADAPTER
        shutil.rmtree(adapter, ignore_errors=True)
        trainer.save_model(str(adapter))
        if trainer.args.should_save:
            model = write_merged(begun.base, out / MODEL, adapter)
    else:
        weights = full_weights(trainer, names)
        if trainer.args.should_save:
            model = write_full(begun.base, out / MODEL, weights)
    if trainer.args.should_save:
        plot_log(out / METRICS, out / PLOT)
        tell(f"Written: {model}")
    trainer.accelerator.wait_for_everyone()
    return model
