"""The only training code: Transformers' Trainer, with our loss, length buckets and exact resume."""

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
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from distillery.encoding import Collator, Row
from distillery.nouns import Epoch
from distillery.objectives.base import Objective, Outputs
from distillery.objectives.hard_labels import HardLabels
from distillery.teachers.base import LoadedModel

log = logging.getLogger(__name__)


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
    train_rows: Sequence[Row],
    validation_rows: Sequence[Row],
    seed: int,
    work: Path,
    on_epoch: Callable[[Epoch], None],
) -> Trained:
    """Train to the best validation accuracy.

    Every epoch is saved under ``work``; a training killed there goes on from its last whole epoch
    (weights, optimizer, schedule and random states), as if nothing had happened. Rows carry
    ``labels`` and, where the objective needs a teacher, ``teacher_logits``.
    """
    started = time.monotonic()
    settings = objective.training
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=64,
        warmup_steps=settings.warmup_share,
        weight_decay=settings.weight_decay,
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        greater_is_better=True,
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        data_seed=seed,
        report_to=[],
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=not sys.stderr.isatty(),
    )
    trainer = _ObjectiveTrainer(
        objective=objective,
        model=loaded.model,
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=Collator(loaded.tokenizer.pad_token_id),
        compute_metrics=_accuracy,
        callbacks=[
            EarlyStoppingCallback(early_stopping_patience=settings.patience_epochs),
            _EpochReporter(on_epoch),
        ],
    )
    # Trainer's own callbacks write to stdout, which belongs to --json
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback):
        trainer.add_callback(_QuietBar)
    resume = _last_whole_checkpoint(work)
    if resume is not None:
        log.info("resuming from %s", resume.name)
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    loaded.model.cpu().eval()  # type: ignore[no-untyped-call]
    history = _history(trainer.state)
    best = max(history, key=lambda epoch: (epoch.validation_accuracy, -epoch.epoch))
    return Trained(
        history=history, best_epoch=best.epoch, seconds=round(time.monotonic() - started, 2)
    )


class _ObjectiveTrainer(Trainer):
    """Trainer's documented seam: another loss. Nothing else is overridden."""

    def __init__(self, *, objective: Objective, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._objective = objective
        self._validation = HardLabels()
        # our losses are means over the batch; Trainer must not divide again when it accumulates
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The objective while training; plain cross-entropy on validation."""
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        teacher_logits = inputs.pop("teacher_logits", None)
        outputs = model(**inputs)
        objective = self._objective if model.training else self._validation
        if teacher_logits is not None and teacher_logits.requires_grad:
            raise RuntimeError("the teacher's logits carry gradients")
        loss = objective.loss(
            student=Outputs(logits=outputs.logits),
            teacher=None if teacher_logits is None else Outputs(logits=teacher_logits),
            labels=labels,
        )
        return (loss, {"logits": outputs.logits}) if return_outputs else loss


class _EpochReporter(TrainerCallback):
    """Says after each evaluation how the epoch went."""

    def __init__(self, on_epoch: Callable[[Epoch], None]) -> None:
        self._on_epoch = on_epoch

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        epoch = _history(state)[-1]
        log.info(
            "epoch %g of %g: train loss %.4f, validation loss %.4f, validation accuracy %.4f",
            epoch.epoch,
            args.num_train_epochs,
            epoch.train_loss,
            epoch.validation_loss,
            epoch.validation_accuracy,
        )
        self._on_epoch(epoch)


class _QuietBar(ProgressCallback):
    """The progress bar alone; the numbers are logged."""

    def on_log(self, *_: Any, **__: Any) -> None:
        """Write nothing."""


def _accuracy(prediction: EvalPrediction) -> dict[str, float]:
    found = np.asarray(prediction.predictions).argmax(-1)
    return {"accuracy": float((found == prediction.label_ids).mean())}


def _history(state: TrainerState) -> tuple[Epoch, ...]:
    train_loss = {
        round(entry["epoch"], 4): entry["loss"] for entry in state.log_history if "loss" in entry
    }
    return tuple(
        Epoch(
            epoch=round(entry["epoch"], 4),
            train_loss=train_loss[round(entry["epoch"], 4)],
            validation_loss=entry["eval_loss"],
            validation_accuracy=entry["eval_accuracy"],
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
