"""What every student that reads images is."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from distillery.nouns import Architecture
from distillery.students.base import Student

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class ImageStudent(Student):
    """Reads what its teacher reads, normalized as there; takes over no weight."""

    reads: ClassVar[Literal["text", "image"]] = "image"

    def check(self, teacher: Architecture) -> None:
        """Any teacher of images will do."""

    def architecture(self, teacher: Architecture) -> Architecture | None:
        """None: no transformer layers to match."""
        return None


def taken_over(teacher: "PretrainedConfig") -> dict[str, Any]:
    """The images' shape and statistics, and the labels, from the teacher's configuration."""
    return {
        "image_shape": teacher.image_shape,
        "pixel_mean": teacher.pixel_mean,
        "pixel_std": teacher.pixel_std,
        "num_labels": teacher.num_labels,
        "id2label": teacher.id2label,
        "label2id": teacher.label2id,
    }
