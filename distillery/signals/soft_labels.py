"""A teacher's logits, computed once and found by the content of texts or images.

A row is looked up by the digest of its content, never by its position or step: shuffling would
misalign a positional cache silently. The files belong to one teacher (weights and tokenizer, by
digest) and one maximum length; they are read memory-mapped.

Shapes: N texts, K teachers, C classes.
"""

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distillery import __version__, checkpoints, digests, storage
from distillery.data.examples import Example, key
from distillery.data.lazy import Lazy
from distillery.errors import DamagedArtifactError
from distillery.nouns import Checkpoint, SoftLabels, Teacher
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import collator_of, inputs_of

log = logging.getLogger(__name__)

SHARD_ROWS = 50_000  # of a file, and between two that survive a kill
_BATCH_SIZE = 64
_KEY = np.dtype("S16")  # compared as a whole; read back, one would lose the zeros at its end
_SPOT_CHECKS = 8
_TOLERANCE = 1e-3  # of the largest logit; other batch shapes and thread counts move it by 1e-5


def compute(teacher: Checkpoint, texts: Sequence[Example], texts_digest: str) -> SoftLabels:
    """The teacher's logits over the texts, stored by content.

    ``texts_digest`` is that of the data set or corpus they stand in. A file is finished at a time;
    after a kill, those that are finished are used again. In memory are a digest of 16 bytes and a
    position for each text.
    """
    keys, positions = _unique(texts)
    name = digests.of_json([__version__, teacher.digest, teacher.max_length, texts_digest])
    work = storage.work(f"soft-labels-{name[:32]}")
    loaded: LoadedModel | None = None
    classes = 0
    shards = -(-len(positions) // SHARD_ROWS)
    for shard in range(shards):
        rows = slice(shard * SHARD_ROWS, (shard + 1) * SHARD_ROWS)
        path = work / f"{shard:05d}.npy"
        stored = _finished(path, keys[rows])
        if stored is None:
            loaded = loaded or checkpoints.load(teacher)
            some = [texts[position] for position in positions[rows].tolist()]
            stored = _with_keys(keys[rows], live_logits(loaded, some, teacher.max_length))
            with storage.new_folder() as folder:
                np.save(folder / path.name, stored, allow_pickle=False)
                (folder / path.name).replace(path)
            if shards > 1:
                log.info("soft labels of %s: %d of %d", teacher.name, shard + 1, shards)
        classes = stored["logits"].shape[1]
    artifact = storage.put(work, "soft-labels")
    shutil.rmtree(work, ignore_errors=True)  # where equal content was kept already
    return SoftLabels(
        artifact=artifact,
        teacher_digest=teacher.digest,
        texts_digest=texts_digest,
        rows=len(positions),
        classes=classes,
    )


def of_all(
    soft_labels: Sequence[SoftLabels], teacher: Teacher, texts: Sequence[Example]
) -> "Logits":
    """N of (K, C): the cached logits of each of the K members of the teacher."""
    return Logits([cached(soft_labels, member, texts) for member in teacher.members])


class Found:
    """Where the logits of N texts stand, in files that are read where they are looked at."""

    def __init__(self, files: Sequence[NDArray[Any]], rows: NDArray[np.int64]) -> None:
        """``rows`` (N,) are counted through all files."""
        self._files = files
        self._starts = np.cumsum([0, *(len(file) for file in files)])
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, position: int) -> NDArray[np.float32]:
        """(C,), a copy."""
        row = self._rows[position]
        file = int(np.searchsorted(self._starts, row, side="right")) - 1
        logits: NDArray[np.float32] = self._files[file]["logits"][row - self._starts[file]]
        return logits.copy()


class Logits(Lazy[torch.Tensor]):
    """A (K, C) tensor a text, for K teachers."""

    def __init__(self, members: Sequence[Found]) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members[0])

    def at(self, position: int) -> torch.Tensor:
        """(K, C)."""
        return torch.from_numpy(np.stack([member.of(position) for member in self._members]))


def cached(
    soft_labels: Sequence[SoftLabels], teacher: Checkpoint, texts: Sequence[Example]
) -> Found:
    """The logits of ``texts``, in the caches that are this teacher's.

    A few rows are proven against the live teacher. Raises ``DamagedArtifactError`` where no cache
    is this teacher's, a text is in none of them, or they disagree with what the teacher says now.
    """
    own = [labels for labels in soft_labels if labels.teacher_digest == teacher.digest]
    if not own:
        raise DamagedArtifactError("the cached soft labels belong to another teacher; run again")
    paths = [path for labels in own for path in sorted(storage.fetch(labels.artifact).glob("*"))]
    files = [np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) for path in paths]
    known = np.concatenate([file["key"] for file in files])
    order = np.argsort(known, kind="stable")
    wanted = _keys(texts)
    places = np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)
    rows = order[places]
    if not np.array_equal(known[rows], wanted):
        raise DamagedArtifactError(
            "the cached soft labels lack a training text; run again to make them anew"
        )
    found = Found(files, rows)
    sample = np.random.default_rng(0).choice(
        len(texts), min(_SPOT_CHECKS, len(texts)), replace=False
    )
    live = live_logits(checkpoints.load(teacher), [texts[i] for i in sample], teacher.max_length)
    difference = float(np.abs(np.stack([found.of(i) for i in sample]) - live).max())
    if difference > _TOLERANCE * float(np.abs(live).max()):
        raise DamagedArtifactError(
            f"the cached soft labels differ from the teacher by {difference:.2g}; run again"
        )
    return found


def _keys(texts: Iterable[Example]) -> NDArray[np.bytes_]:
    """(N,) of 16 bytes."""
    return np.fromiter(map(key, texts), dtype=_KEY)


def _unique(texts: Iterable[Example]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """The key of each different text and where it stands first, in that order."""
    keys = _keys(texts)
    _, first = np.unique(keys, return_index=True)
    positions = np.sort(first)
    return keys[positions], positions


def _with_keys(keys: NDArray[np.bytes_], logits: NDArray[np.float32]) -> NDArray[Any]:
    """What one file holds, a key and (C,) logits a row."""
    row = np.dtype([("key", _KEY), ("logits", np.float32, (logits.shape[1],))])
    stored = np.empty(len(keys), dtype=row)
    stored["key"], stored["logits"] = keys, logits
    return stored


def _finished(path: Path, keys: NDArray[np.bytes_]) -> NDArray[Any] | None:
    """A file that is there already, for these very texts."""
    try:
        stored: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return stored if np.array_equal(stored["key"], keys) else None
    except FileNotFoundError:
        return None
    except (ValueError, EOFError, IndexError):
        log.warning("making the damaged %s anew", path)
        return None


@torch.inference_mode()
def live_logits(
    teacher: LoadedModel, texts: Sequence[Example], max_length: int
) -> NDArray[np.float32]:
    """(N, C) from the teacher itself: in eval mode, without gradients, batched by length."""
    model = teacher.model.eval()  # type: ignore[no-untyped-call]
    rows = inputs_of(teacher, texts, max_length)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].get("input_ids", ())))
    collate = collator_of(teacher)
    found = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    for start in range(0, len(order), _BATCH_SIZE):
        chosen = order[start : start + _BATCH_SIZE]
        batch = collate([rows[i] for i in chosen])
        on_device = {name: tensor.to(model.device) for name, tensor in batch.items()}
        found[chosen] = model(**on_device).logits.float().cpu().numpy()
    return found
