"""What the losses on logits are made of."""

from typing import TYPE_CHECKING

from distillery.objectives.base import UNLABELLED, Outputs

if TYPE_CHECKING:
    from torch import Tensor


def scaled_divergence(student: Outputs, teacher: Outputs, temperature: float) -> "Tensor":
    """T² · KL(softmax(t/T) ‖ softmax(s/T)): summed over classes, averaged over rows.

    Without T² the gradient shrinks with 1/T²; with a mean over classes too, by 1/C (PyTorch's
    ``reduction="mean"``).
    """
    soft_student = student.log_probabilities(temperature)  # (B, C)
    soft_teacher = teacher.log_probabilities(temperature).detach()
    divergence = (soft_teacher.exp() * (soft_teacher - soft_student)).sum(-1)  # (B,)
    return temperature**2 * divergence.mean()


def labelled_loss(logits: "Tensor", labels: "Tensor") -> "Tensor":
    """What hard labels cost: cross-entropy of classes; of scores, which are one logit, (s − y)².

    (B, C) with (B,), averaged over the rows that have a label. Zero where none has one.
    """
    if logits.shape[-1] > 1:
        return labelled_cross_entropy(logits, labels)
    known = labels != UNLABELLED
    distance = (logits[:, 0] - labels.to(logits.dtype)).masked_fill(~known, 0)
    return distance.square().sum() / known.sum().clamp(min=1)


def labelled_cross_entropy(logits: "Tensor", labels: "Tensor") -> "Tensor":
    """CE(s, y), averaged over what has a label: (B, C) with (B,), or (B, S, V) with (B, S).

    Zero where nothing has one.
    """
    from torch.nn.functional import cross_entropy

    total = cross_entropy(
        logits.flatten(0, -2), labels.flatten(), ignore_index=UNLABELLED, reduction="sum"
    )
    return total / (labels != UNLABELLED).sum().clamp(min=1)
