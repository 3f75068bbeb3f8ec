"""What every quantization is: a fused fp32 graph in, a smaller one out.

Importing this loads no onnx: the recipe does.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.noun import Noun
from distillery.nouns import Precision
from distillery.runtimes.base import Encoded

if TYPE_CHECKING:
    import onnx


class Tables(Noun):
    """How a quantized model keeps its embedding tables."""

    bits: Literal[4, 8] = Field(
        default=4,
        title="Bits",
        description="Of each number, with a scale a block of 32 or fewer.",
    )
    shared_rows: int | None = Field(
        default=None,
        ge=16,
        le=1_000_000,
        title="Shared rows",
        description="Tokens that the training texts never show share so many rows, near ones the "
        "same (k-means); left out, each keeps its own. No text is read otherwise than before.",
    )

    @property
    def label(self) -> str:
        """Such as '8-bit-tables shared-512'; empty where nothing differs from the default."""
        parts = ["8-bit-tables"] if self.bits == 8 else []
        parts += [] if self.shared_rows is None else [f"shared-{self.shared_rows}"]
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a quantization may look at."""

    cpu_flags: Sequence[str]
    """Of the CPU that the graph is for, as in /proc/cpuinfo."""
    samples: Callable[[int], Sequence[Encoded]]
    """So many training examples, evenly spread, one a batch, encoded for the graph."""


class Quantization(Noun, ABC):
    """Fewer bits for weights, and perhaps activations."""

    precision: ClassVar[Precision]
    has_small_tables: ClassVar[bool] = True
    """Whether tables are kept as ``export.tables`` says; else the quantization sees to them."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What candidates made by it are called: 'two-layers LABEL'. Unique in a recipe."""

    def named(self, tables: Tables) -> str:
        """The label, and how tables are kept where that is not the default."""
        return f"{self.label} {tables.label}".strip() if self.has_small_tables else self.label

    @property
    @abstractmethod
    def bytes_per_weight(self) -> float:
        """The least that one weight takes, scales left out."""

    @abstractmethod
    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """Of the fused fp32 graph, which stays as it is. Equal inputs give equal graphs."""
