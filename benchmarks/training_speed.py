"""What a distillation step costs, against fine-tuning and against the common way.

Three trainings of the same 2-layer student on the same rows, in alternating rounds of one run:

- ``fine-tuning``: hard labels; length buckets, trimmed vocabulary.
- ``distillation``: soft targets from cached logits; else the same. Goal: at most 1.1 of the above.
- ``common``: a Trainer subclass that runs the teacher in every step, random batches padded to
  their longest row, the teacher's whole vocabulary. Goal: distillation is 2.5 times as fast.

Each round trains one epoch and evaluates a few rows, saving included, as real runs do. The last
line is one JSON document.

    python benchmarks/training_speed.py DATA MODEL

DATA is a folder with CLINC150 (``clinc/clinc_oos``, ``plus``) as Parquet, MODEL one with an encoder
such as all-MiniLM-L6-v2.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

_BATCH = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=1920)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DISTILLERY_STORAGE"] = folder
        seconds = measure(chosen.data, chosen.model, chosen.rows, chosen.rounds)
    rate = {name: chosen.rows / median(found) for name, found in seconds.items()}
    for name, found in seconds.items():
        print(f"{name:14} {rate[name]:7.1f} rows/s   seconds a round: {np.round(found, 2)}")
    print(
        json.dumps(
            {
                "rows": chosen.rows,
                "seconds": seconds,
                "distillation_over_fine_tuning": rate["fine-tuning"] / rate["distillation"],
                "speedup_over_common": rate["distillation"] / rate["common"],
            }
        )
    )


def measure(data: str, model: str, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, by way of training."""
    from distillery import storage
    from distillery.data import preparation
    from distillery.objectives.base import Training
    from distillery.objectives.hard_labels import HardLabels
    from distillery.objectives.soft_targets import SoftTargets
    from distillery.recipe import Data
    from distillery.signals.soft_labels import live_logits
    from distillery.signals.teaching import CachedTeaching
    from distillery.students.base import Trimming
    from distillery.students.from_layers import FromLayers
    from distillery.teachers.base import LoadedModel
    from distillery.teachers.pretrained import Pretrained
    from distillery.training.encoding import Collator, encode
    from distillery.training.trainer import train

    splits = preparation.load(Data(source=data, label="intent"))
    source = Pretrained(source=model, pooling="mean", max_length=64)
    texts = [str(text) for text in splits.train.texts]
    teacher = source.build(texts=texts, label_names=splits.label_names)
    teacher.model.eval()  # type: ignore[no-untyped-call]
    picked = np.random.default_rng(0).permutation(len(texts))[: rows + 64]
    part = [texts[i] for i in picked]
    labels = [splits.label_names.index(splits.train.names[i]) for i in picked]
    logits = live_logits(teacher, part, 64)
    training = Training(epochs=1, learning_rate=1e-4, batch_size=_BATCH)

    def student(trimmed: bool) -> LoadedModel:
        made = FromLayers(name="two", layers=(0, 5), trimming=Trimming() if trimmed else None)
        return made.build(teacher, texts=texts, is_pair=False)

    def ours(objective: Any, round_: int) -> float:
        import torch

        loaded = student(trimmed=True)
        encoded: list[dict[str, Any]] = [
            {**row, "labels": label, "teacher_logits": torch.from_numpy(of_row[None])}
            for row, label, of_row in zip(
                encode(loaded.tokenizer, part, 64), labels, logits, strict=True
            )
        ]
        started = time.monotonic()
        train(
            loaded,
            objective=objective,
            teaching=CachedTeaching((1.0,), "logits"),
            projections=None,
            train_rows=encoded[:rows],
            validation_rows=encoded[rows:],
            collator=Collator(loaded.tokenizer.pad_token_id),
            seed=1,
            work=storage.work(f"{objective.objective}-{round_}"),
            on_epoch=lambda _: None,
        )
        return time.monotonic() - started

    seconds: dict[str, list[float]] = {"fine-tuning": [], "distillation": [], "common": []}
    for round_ in range(rounds):
        seconds["fine-tuning"].append(ours(HardLabels(training=training), round_))
        seconds["distillation"].append(ours(SoftTargets(training=training), round_))
        seconds["common"].append(_common(student(trimmed=False), teacher, part, labels, rows))
    return seconds


def _common(student: Any, teacher: Any, texts: list[str], labels: list[int], rows: int) -> float:
    """As it is usually written: the teacher in compute_loss, the default sampler and collator."""
    import torch
    from torch.nn.functional import kl_div, log_softmax, softmax
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    temperature = 2.0

    class DistillationTrainer(Trainer):
        def compute_loss(
            self,
            model: Any,
            inputs: Any,
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            outputs = model(**inputs)
            with torch.no_grad():
                taught = teacher.model(**{k: v for k, v in inputs.items() if k != "labels"}).logits
            loss = temperature**2 * kl_div(
                log_softmax(outputs.logits / temperature, -1),
                softmax(taught / temperature, -1),
                reduction="batchmean",
            )
            return (loss, outputs) if return_outputs else loss

    encoded = student.tokenizer(texts, truncation=True, max_length=64)
    items = [
        {**{name: values[i] for name, values in encoded.items()}, "labels": labels[i]}
        for i in range(len(texts))
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = DistillationTrainer(
            model=student.model,
            args=TrainingArguments(
                output_dir=str(Path(folder)),
                num_train_epochs=1,
                learning_rate=1e-4,
                per_device_train_batch_size=_BATCH,
                eval_strategy="epoch",
                save_strategy="epoch",
                logging_strategy="epoch",
                remove_unused_columns=False,
                label_names=["labels"],
                report_to=[],
                disable_tqdm=True,
                seed=1,
            ),
            train_dataset=items[:rows],
            eval_dataset=items[rows:],
            data_collator=DataCollatorWithPadding(student.tokenizer),
        )
        trainer.model_accepts_loss_kwargs = False
        started = time.monotonic()
        trainer.train()
        return time.monotonic() - started


if __name__ == "__main__":
    main()
