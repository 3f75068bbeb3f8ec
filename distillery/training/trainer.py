"""The only training code: Transformers' Trainer, with our loss, length buckets, exact resume.

Run by several processes (``torchrun``), it gives the same student: ``parts`` shares out the rows
of each step, and the loss is computed inside the model's forward, so that DistributedDataParallel
sees every weight that it depends on, projections too, and none that it does not.
"""

import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, RandomSampler
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LengthGroupedSampler

from distillery import correlation
from distillery.launch import processes
from distillery.nouns import Epoch
from distillery.objectives.base import Batch, Objective, Outputs, Portion, Training
from distillery.objectives.hard_labels import HardLabels
from distillery.signals.forward import Forward
from distillery.signals.teaching import Teaching
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import TEACHERS, Collator, Row
from distillery.training.parts import Counted, OwnParts, weights

log = logging.getLogger(__name__)

_PROJECTIONS = "distillation_projections"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training showed. The model itself was changed in place, to its best epoch."""

    history: tuple[Epoch, ...]
    best_epoch: float
    seconds: float


def train(
    loaded: LoadedModel,
    *,
    objective: Objective,
    teaching: Teaching | None,
    projections: torch.nn.Module | None,
    train_rows: Sequence[Row],
    validation_rows: Sequence[Row],
    collator: Collator,
    seed: int,
    work: Path,
    on_epoch: Callable[[Epoch], None],
) -> Trained:
    """Train to the best validation accuracy, or Spearman's ρ of scores, or loss where the objective
    says so.

    Every epoch is saved under ``work``; a training killed there goes on from its last whole epoch
    (weights, projections, optimizer, schedule and random states), as if nothing had happened.
    Rows carry ``labels`` and what ``teaching`` reads.
    """
    started = time.monotonic()
    settings = objective.training
    precision = _precision(settings)
    on_cpu = not torch.cuda.is_available() and (processes.several() or precision == "bf16")
    metric = _metric(objective, loaded)
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=max(
            1, settings.batch_size // (settings.gradient_accumulation * processes.count())
        ),
        gradient_accumulation_steps=settings.gradient_accumulation,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=on_cpu,
        per_device_eval_batch_size=64,
        warmup_steps=settings.warmup_share,
        weight_decay=settings.weight_decay,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=metric,
        greater_is_better=metric != "loss",
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        data_seed=seed,
        report_to=[],
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=not sys.stderr.isatty(),
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several are for several processes, not for DataParallel
    if projections is not None:
        # a part of the model while it trains: the optimizer, checkpoints and processes see it
        loaded.model.add_module(_PROJECTIONS, projections)
    trainer = _ObjectiveTrainer(
        objective=objective,
        teaching=teaching,
        projections=projections,
        model=loaded.model,
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=collator,
        compute_metrics={"accuracy": _accuracy, "spearman": _spearman}.get(metric),
        callbacks=[
            EarlyStoppingCallback(early_stopping_patience=settings.patience_epochs),
            _EpochReporter(on_epoch),
        ],
    )
    # Trainer's own callbacks write to stdout, which belongs to --json
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback):
        trainer.add_callback(_QuietBar)
    resume = processes.once(lambda: _last_whole_checkpoint(work))
    if resume is not None:
        log.info("resuming from %s", resume.name)
    if not processes.is_first():
        torch.manual_seed(seed + processes.index())  # other rows, other dropout
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    trainer.release(loaded.model)
    loaded.model.cpu().eval()  # type: ignore[no-untyped-call]
    if projections is not None:
        delattr(loaded.model, _PROJECTIONS)
    history = _history(trainer.state)
    best = max(history, key=_goodness)
    return Trained(
        history=history, best_epoch=best.epoch, seconds=round(time.monotonic() - started, 2)
    )


def _precision(settings: Training) -> str:
    if settings.precision != "auto":
        return settings.precision
    if not torch.cuda.is_available():
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def _goodness(epoch: Epoch) -> tuple[float, float]:
    """What the best epoch has most of; of equal ones the first."""
    merit = epoch.validation_merit
    return (-epoch.validation_loss if merit is None else merit), -epoch.epoch


class _ObjectiveTrainer(Trainer):
    """Trainer's documented seams: another loss, and which rows this process gets."""

    def __init__(
        self,
        *,
        objective: Objective,
        teaching: Teaching | None,
        projections: torch.nn.Module | None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self._objective = objective
        self._validation = objective if objective.selects_by == "loss" else HardLabels()
        self._collate: Collator = arguments["data_collator"]
        self._teaching = teaching
        self._projections = projections
        self._forward = Forward(arguments["model"], objective.needs)
        self._loss: Callable[[Outputs], torch.Tensor] = _no_loss
        self._inside = arguments["model"].register_forward_hook(self._end_in_loss)
        # our losses are means over the batch; Trainer must not divide again when it accumulates
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> DataLoader[Row]:
        """Its own part of each step's rows; rows of one length beside each other."""
        rows: Any = self.train_dataset
        size = self._objective.training.batch_size
        sampler = (
            LengthGroupedSampler(size, dataset=rows)
            if "input_ids" in rows[0]
            else RandomSampler(rows)
        )
        loader = DataLoader(
            rows,
            batch_sampler=OwnParts(sampler, size, self.args.gradient_accumulation_steps),
            collate_fn=Counted(self._collate, rows),
            pin_memory=self.args.dataloader_pin_memory,
        )
        # as Trainer prepares its own, but for its shares: ours are made
        prepared: DataLoader[Row] = prepare_data_loader(
            loader,
            self.args.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
            use_seedable_sampler=True,
            data_seed=self.args.data_seed,
        )
        return prepared

    def get_batch_samples(
        self, epoch_iterator: Any, num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], None]:
        """All parts of one step that are this process', weighed against everyone's."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        own = torch.stack([batch.pop("counts") for batch in batches])  # (parts, 4)
        whole = self.accelerator.reduce(own.sum(0), "sum")
        parts = len(batches) * processes.count()
        for batch, counts in zip(batches, own, strict=True):
            batch["weight"], batch["portion"] = weights(counts, whole, parts)
        return batches, None

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The objective while training; on validation that of hard labels, where they select."""
        own = {name: value for name, value in inputs.items() if not name.startswith(TEACHERS)}
        theirs = {
            name.removeprefix(TEACHERS): value
            for name, value in inputs.items()
            if name.startswith(TEACHERS)
        }
        labels = own.pop("labels")
        portion, weight = own.pop("portion", Portion()), own.pop("weight", 1.0)
        objective = self._objective if model.training else self._validation
        teacher = None
        if objective.needs:
            assert self._teaching is not None, "an objective that needs a teacher comes with one"
            with self.accelerator.autocast():
                teacher = self._teaching.outputs(own, theirs)
            if teacher.logits.requires_grad:
                raise RuntimeError("the teacher's logits carry gradients")
        mask = own.get("attention_mask")

        def loss_of(student: Outputs) -> torch.Tensor:
            batch = Batch(
                student=student,
                teacher=teacher,
                labels=labels,
                mask=None if mask is None else mask.bool(),
                progress=self.state.global_step / max(1, self.state.max_steps),
                projections=self._projections,
                portion=portion,
            )
            weighted: torch.Tensor = weight * objective.loss(batch)
            return weighted

        self._loss = loss_of
        loss, logits = model(**self._forward.asking(own))
        return (loss, {"logits": logits}) if return_outputs else loss

    def release(self, model: PreTrainedModel) -> None:
        """The model as it was before: its forward is its own again, in float32."""
        self._inside.remove()
        self.accelerator.unwrap_model(model, keep_fp32_wrapper=False)

    def _end_in_loss(
        self, model: torch.nn.Module, inputs: Any, found: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the model's forward returns instead, while it trains: the loss, and its logits.

        The logits are cut off: weights that only they depend on get no gradient, and nobody may
        wait for one.
        """
        student = self._forward.outputs(found)
        return self._loss(student), student.logits.detach()


def _no_loss(student: Outputs) -> torch.Tensor:
    raise RuntimeError("the model was asked for a loss before compute_loss said which")


class _EpochReporter(TrainerCallback):
    """Says after each evaluation how the epoch went."""

    def __init__(self, on_epoch: Callable[[Epoch], None]) -> None:
        self._on_epoch = on_epoch

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        epoch = _history(state)[-1]
        name = "accuracy" if epoch.validation_spearman is None else "Spearman ρ"
        log.info(
            "epoch %g of %g: train loss %.4f, validation loss %.4f%s",
            epoch.epoch,
            args.num_train_epochs,
            epoch.train_loss,
            epoch.validation_loss,
            ""
            if epoch.validation_merit is None
            else f", validation {name} {epoch.validation_merit:.4f}",
        )
        self._on_epoch(epoch)


class _QuietBar(ProgressCallback):
    """The progress bar alone; the numbers are logged."""

    def on_log(self, *_: Any, **__: Any) -> None:
        """Write nothing."""


def _metric(objective: Objective, loaded: LoadedModel) -> str:
    """What tells the best epoch. A single logit is a score: classes are two or more."""
    if objective.selects_by == "accuracy" and loaded.model.config.num_labels == 1:
        return "spearman"
    return objective.selects_by


def _accuracy(prediction: EvalPrediction) -> dict[str, float]:
    found = np.asarray(prediction.predictions).argmax(-1)
    return {"accuracy": float((found == prediction.label_ids).mean())}


def _spearman(prediction: EvalPrediction) -> dict[str, float]:
    found = np.asarray(prediction.predictions)[:, 0]
    return {"spearman": correlation.spearman(found, prediction.label_ids)}


def _history(state: TrainerState) -> tuple[Epoch, ...]:
    train_loss = {
        round(entry["epoch"], 4): entry["loss"] for entry in state.log_history if "loss" in entry
    }
    return tuple(
        Epoch(
            epoch=round(entry["epoch"], 4),
            train_loss=train_loss[round(entry["epoch"], 4)],
            validation_loss=entry["eval_loss"],
            validation_accuracy=entry.get("eval_accuracy"),
            validation_spearman=entry.get("eval_spearman"),
        )
        for entry in state.log_history
        if "eval_loss" in entry
    )


def _last_whole_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end; torn ones are removed."""
    found = []
    for folder in work.glob("checkpoint-*"):
        state = folder / "trainer_state.json"  # Trainer writes it last
        if state.is_file() and state.stat().st_size:
            found.append(folder)
        else:
            shutil.rmtree(folder)
    return max(found, key=lambda folder: int(folder.name.split("-")[1]), default=None)
