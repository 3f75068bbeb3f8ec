"""A network that teaches itself: its deepest exit its shallower ones (Zhang et al. 2019).

"Be Your Own Teacher", https://arxiv.org/abs/1905.08094. Some layers of the teacher's encoder are
copied, as DistilBERT does; no answer of the teacher's is used, unless a stage asks for it. The
paper starts from random weights, and keeps all exits; here one is kept, as the student.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from distillery.errors import UserError
from distillery.nouns import Architecture
from distillery.objectives.deep_to_shallow import DeepToShallow
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.soft_cross_entropy import SoftCrossEntropy
from distillery.objectives.soft_targets import SoftTargets
from distillery.students import chosen_layers
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from distillery.architectures.early_exits import EarlyExits as Model

# all but deep_to_shallow teach the kept exit alone
ExitObjective = Annotated[
    DeepToShallow | SoftTargets | SoftCrossEntropy | LogitMse | HardLabels,
    Field(discriminator="objective"),
]


class EarlyExits(Student):
    """Layers of the teacher with a classifier after several of them; cut after one when trained."""

    kind: Literal["early_exits"] = "early_exits"
    task: tuple[ExitObjective, ...] = Field(  # type: ignore[assignment]
        default=(DeepToShallow(),),
        min_length=1,
        title="Task distillation",
        description="Stages, one after the other.",
    )
    layers: tuple[int, ...] = Field(
        min_length=1,
        title="Teacher layers",
        description="Which teacher layers to copy, from 0: the network that is trained.",
    )
    exits: tuple[int, ...] = Field(
        title="Exits",
        description="The layers of that network, from 1, that a classifier follows; its last one "
        "always has one.",
    )
    keep: int | None = Field(
        default=None,
        title="Kept exit",
        description="The layer after which the trained network is cut; the first exit if left out.",
    )

    @model_validator(mode="after")
    def _exits_are_there(self) -> "EarlyExits":
        depth = len(self.layers)
        outside = [layer for layer in self.exits if not 1 <= layer <= depth]
        if outside:
            raise ValueError(f"exits names layer {outside[0]} of {depth}; choose from 1 to {depth}")
        if self.keep is not None and self.keep not in self._all_exits:
            raise ValueError(
                f"keep is {self.keep}; choose one of the exits "
                f"{', '.join(map(str, self._all_exits))}"
            )
        alone = len(self._all_exits) == 1
        if alone and any(stage.objective == "deep_to_shallow" for stage in self.task):
            raise ValueError(
                "deep_to_shallow needs an exit before the last layer; name one in exits"
            )
        chosen_layers.refuse_what_needs_one_network(self)
        return self

    @property
    def _all_exits(self) -> tuple[int, ...]:
        return tuple(sorted({*self.exits, len(self.layers)}))

    @property
    def _kept(self) -> int:
        return self._all_exits[0] if self.keep is None else self.keep

    def check(self, teacher: Architecture) -> None:
        """Each chosen layer is there."""
        chosen_layers.check_range(self.layers, teacher.layers, student=self.name, of="the teacher")

    def architecture(self, teacher: Architecture) -> Architecture | None:
        """None: its own last layer stands for the teacher's."""
        return None

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """Of what is kept: the layers up to an exit, under one classifier."""
        from distillery.architectures.pooled_encoder import PooledEncoderConfig

        self.check(architecture_of(teacher))
        return PooledEncoderConfig(
            encoder=chosen_layers.encoder_config(teacher, self._kept),
            **chosen_layers.labels_of(teacher),
        )

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """The teacher's layers under random classifiers: the whole network, to be trained.

        Raises ``UserError`` for an encoder whose layers cannot be cut after an exit.
        """
        from torch import nn

        from distillery.architectures.early_exits import EarlyExits as Model
        from distillery.architectures.early_exits import EarlyExitsConfig

        theirs = teacher.model.config
        self.check(architecture_of(theirs))
        config = EarlyExitsConfig(
            encoder=chosen_layers.encoder_config(theirs, len(self.layers)),
            exits=self.exits,
            keep=self._kept,
            **chosen_layers.labels_of(theirs),
        )
        # the kept one's first: of one seed, the control draws the same
        kept_first = sorted(config.exits, key=lambda layer: layer != self._kept)
        classifiers = {}
        for layer in kept_first:
            classifiers[layer] = nn.Linear(config.hidden_size, config.num_labels or 0)
            nn.init.normal_(classifiers[layer].weight, std=config.encoder.initializer_range)
            nn.init.zeros_(classifiers[layer].bias)
        model = Model(config)
        chosen_layers.copy_layers(model.encoder, teacher.model, self.layers)
        model.classifiers = nn.ModuleList(classifiers[layer] for layer in config.exits)
        self._check_cut(model)
        return LoadedModel(model=model, tokenizer=teacher.tokenizer)

    def finished(self, trained: LoadedModel) -> LoadedModel:
        """The layers up to the kept exit and its classifier, which answer as the exit does."""
        from distillery.architectures.early_exits import EarlyExits as Model

        assert isinstance(trained.model, Model)
        return LoadedModel(model=trained.model.cut(), tokenizer=trained.tokenizer)

    def as_control(self) -> Self:
        """The kept part alone, from the same start, on hard labels."""
        return (
            super()
            .as_control()
            .model_copy(update={"layers": self.layers[: self._kept], "exits": (), "keep": None})
        )

    def _check_cut(self, model: "Model") -> None:
        """Where a norm follows the last layer, fewer layers on their own answer otherwise."""
        import torch

        ids = torch.tensor([[5, 6, 7]])
        model.eval()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            alike = torch.allclose(model(ids).logits, model.cut()(ids).logits, atol=1e-4)
        model.train()
        if not alike:
            raise UserError(
                f"student '{self.name}': an encoder of kind {model.config.encoder.model_type} does "
                "not end in its last layer, so it cannot be cut after an exit; take a teacher such "
                "as BERT, RoBERTa, ELECTRA or DistilBERT"
            )
