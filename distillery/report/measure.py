"""How quality is called and written: of classes, or of scores."""

from collections.abc import Callable
from dataclasses import dataclass

from distillery.nouns import LabelKind
from distillery.report import units


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How quality is called and written: of classes, or of scores."""

    name: str
    second: str
    agreement: str
    loss: str
    written: Callable[[float | None], str]
    difference: Callable[[float], str]
    unit: str

    @property
    def title(self) -> str:
        """At the start of a line."""
        return self.name[:1].upper() + self.name[1:]


def measure_of(label_kind: LabelKind) -> Measure:
    """Accuracy and macro F1, or Spearman's ρ and Pearson's r."""
    if label_kind == "class":
        return Measure(
            name="accuracy",
            second="Macro F1",
            agreement="Agrees with teacher",
            loss="cross-entropy",
            written=units.percent,
            difference=units.points,
            unit="percentage points of accuracy",
        )
    return Measure(
        name="Spearman ρ",
        second="Pearson r",
        agreement="ρ with teacher",
        loss="squared error, scores scaled to 0–1",
        written=units.decimal,
        difference=units.signed,
        unit="of Spearman ρ",
    )
