"""A checkpoint that is a classifier already: taken as it is, labels matched by name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from distillery.errors import UserError
from distillery.nouns import Architecture
from distillery.teachers import hub
from distillery.teachers.base import LoadedModel, TextTeacher, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Classifier(TextTeacher):
    """Its head is put into the data set's label order, so that no one downstream has to care."""

    kind: Literal["classifier"] = "classifier"
    source: str = Field(
        min_length=1,
        title="Checkpoint",
        description="Hub name or local folder of a fine-tuned classifier.",
    )
    label_names: tuple[str, ...] | None = Field(
        default=None,
        title="Label names",
        description="In the order of its outputs, where its own config does not name them.",
    )

    @property
    def fine_tuning(self) -> None:
        """None: it is trained."""
        return None

    def architecture(self) -> Architecture:
        """The checkpoint's own."""
        return architecture_of(self.config())

    def config(self) -> "PretrainedConfig":
        """The checkpoint's own."""
        return hub.config_of(self.source)

    def check(self, label_names: Sequence[str]) -> None:
        """A permuted label list reads as chance accuracy, so names must match, not indices."""
        hub.check_weights(self.source)
        hub.tokenizer_of(self.source)
        own = self._own_labels()
        outputs = self.config().num_labels
        if len(own) != outputs or len(set(own)) != outputs:
            raise UserError(
                f"teacher: teacher.label_names gives {len(set(own))} different names, but "
                f"'{self.source}' has {outputs} outputs; name each once, in their order"
            )
        if all(name == f"LABEL_{i}" for i, name in enumerate(own)) and set(own) != set(label_names):
            raise UserError(
                f"teacher: '{self.source}' names its labels only LABEL_0 … LABEL_{len(own) - 1}; "
                "give their names, in the order of its outputs, in teacher.label_names"
            )
        missing = [name for name in label_names if name not in own]
        unknown = [name for name in own if name not in label_names]
        if missing or unknown:
            raise UserError(
                f"teacher: the labels of '{self.source}' are not the data set's: "
                f"it lacks {_some(missing)}, and the data set lacks {_some(unknown)}; "
                "match the names, or fine-tune it with kind: pretrained"
            )

    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """The classifier, its head's rows in the order of ``label_names``."""
        import torch
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(
            hub.located(self.source), use_safetensors=True
        )
        own = self._own_labels()
        order = torch.tensor([own.index(name) for name in label_names])
        *_, head = (
            module
            for module in model.modules()
            if isinstance(module, torch.nn.Linear) and module.out_features == len(own)
        )
        with torch.no_grad():
            head.weight.copy_(head.weight[order])
            if head.bias is not None:
                head.bias.copy_(head.bias[order])
        model.config.id2label = dict(enumerate(label_names))
        model.config.label2id = {name: i for i, name in enumerate(label_names)}
        return LoadedModel(model=model, tokenizer=hub.tokenizer_of(self.source))

    def _own_labels(self) -> tuple[str, ...]:
        if self.label_names is not None:
            return self.label_names
        names = {int(i): name for i, name in (self.config().id2label or {}).items()}
        return tuple(names[i] for i in range(len(names)))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "none"
