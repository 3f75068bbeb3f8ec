"""A teacher's logits, computed once and found by the content of texts or images.

A row is looked up by the digest of its content, never by its position or step: shuffling would
misalign a positional cache silently. The file belongs to one teacher (weights and tokenizer, by
digest) and one maximum length.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from distillery import checkpoints, storage
from distillery.encoding import collator_of, inputs_of
from distillery.errors import DamagedArtifactError
from distillery.nouns import Checkpoint, SoftLabels, Teacher
from distillery.preparation import Example, key
from distillery.teachers.base import LoadedModel

log = logging.getLogger(__name__)

_BATCH_SIZE = 64
_SPOT_CHECKS = 8
_TOLERANCE = 1e-3  # of the largest logit; other batch shapes and thread counts move it by 1e-5


def compute(teacher: Checkpoint, texts: Sequence[Example], texts_digest: str) -> SoftLabels:
    """The teacher's logits over the texts, stored by content.

    ``texts_digest`` is that of the data set or corpus they stand in.
    """
    unique = list(dict.fromkeys(texts))
    logits = live_logits(checkpoints.load(teacher), unique, teacher.max_length)
    keys = np.frombuffer(b"".join(key(text) for text in unique), dtype=np.uint8)
    with storage.new_folder() as folder:
        save_file(
            {"keys": keys.reshape(len(unique), -1), "logits": logits},
            folder / "soft_labels.safetensors",
        )
        artifact = storage.put(folder, "soft-labels")
    return SoftLabels(
        artifact=artifact,
        teacher_digest=teacher.digest,
        texts_digest=texts_digest,
        rows=len(unique),
        classes=logits.shape[1],
    )


def of_all(
    soft_labels: Sequence[SoftLabels], teacher: Teacher, texts: Sequence[Example]
) -> torch.Tensor:
    """(N, K, C): the cached logits of each of the K members of the teacher."""
    return torch.stack([cached(soft_labels, member, texts) for member in teacher.members], dim=1)


def cached(
    soft_labels: Sequence[SoftLabels], teacher: Checkpoint, texts: Sequence[Example]
) -> torch.Tensor:
    """(N, C) logits of ``texts``, from the caches that are this teacher's.

    A few rows are proven against the live teacher. Raises ``DamagedArtifactError`` where no cache
    is this teacher's, a text is in none of them, or they disagree with what the teacher says now.
    """
    own = [labels for labels in soft_labels if labels.teacher_digest == teacher.digest]
    if not own:
        raise DamagedArtifactError("the cached soft labels belong to another teacher; run again")
    files = [
        load_file(storage.fetch(labels.artifact) / "soft_labels.safetensors") for labels in own
    ]
    row_of = {
        digest.tobytes(): row
        for row, digest in enumerate(digest for stored in files for digest in stored["keys"])
    }
    try:
        rows = [row_of[key(text)] for text in texts]
    except KeyError:
        raise DamagedArtifactError(
            "the cached soft labels lack a training text; run again to make them anew"
        ) from None
    logits = torch.from_numpy(np.concatenate([stored["logits"] for stored in files])[rows])
    sample = np.random.default_rng(0).choice(
        len(texts), min(_SPOT_CHECKS, len(texts)), replace=False
    )
    live = live_logits(checkpoints.load(teacher), [texts[i] for i in sample], teacher.max_length)
    difference = float(np.abs(logits[sample].numpy() - live).max())
    if difference > _TOLERANCE * float(np.abs(live).max()):
        raise DamagedArtifactError(
            f"the cached soft labels differ from the teacher by {difference:.2g}; run again"
        )
    return logits


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
