"""Perceptrons over pixels that learn from each other as they train (Zhang et al. 2018).

As in the paper, each starts from its own random weights; all have the same widths.
"""

from collections.abc import Sequence
from typing import Literal

from distillery.students.learning_together import LearningTogether
from distillery.students.perceptrons import Perceptron
from distillery.teachers.base import LoadedModel


class MlpPeers(LearningTogether, Perceptron):
    """Several perceptrons; the first one is kept when trained."""

    kind: Literal["mlp_peers"] = "mlp_peers"

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """All peers, to be trained."""
        from distillery.architectures.peers import Peers, PeersConfig

        one = self.config(teacher.model.config, is_pair=is_pair).to_dict()
        return LoadedModel(model=Peers(PeersConfig(peers=[one] * self.peers)), tokenizer=None)
