"""What the losses of a soft decision tree are made of (Frosst and Hinton 2017, §2.2 and §3)."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from distillery.objectives.base import Outputs

if TYPE_CHECKING:
    from torch import Tensor

# B batch, C classes, N leaves

BalanceWeight = Annotated[
    float,
    Field(
        ge=0,
        le=1000,
        title="Weight of balance",
        description="Of the penalty for nodes that send most images one way; halved at each level.",
    ),
]


def tree_of(student: Outputs) -> tuple["Tensor", "Tensor"]:
    """Paths (B, N) and leaves (N, C). Raises ``ValueError`` for a student of another kind."""
    if student.paths is None or student.leaves is None:
        raise ValueError("this loss is a soft decision tree's: use it with kind soft_tree")
    return student.paths, student.leaves


def expected_cross_entropy(paths: "Tensor", leaves: "Tensor", targets: "Tensor") -> "Tensor":
    """Σ over leaves of path probability · CE(target, leaf), a row each: (B,).

    Each leaf is to answer alone: the cross-entropy of the mixture would be lower for leaves that
    make up for each other. The paper's equation puts a log around this sum, its words do not ("the
    cross entropy between each leaf, weighted by its path probability, and the target").
    """
    of_leaf = -targets @ leaves.log_softmax(-1).T  # (B, N)
    return (paths.exp() * of_leaf).sum(-1)


def balance_penalty(paths: "Tensor") -> "Tensor":
    """−Σ over inner nodes of 2^−depth · ½ (log α + log(1 − α)), a scalar; least where all α = ½.

    α is the share of the images at a node that go right, each counted by how surely it gets there.
    The paper averages α over a window of batches that grows with the depth; here it is the batch's
    own, so that the loss needs no memory: deep nodes ask for large batches.
    """
    import torch

    arriving = paths.exp().mean(0)  # (N,): share of the batch that each leaf gets
    tiny = torch.finfo(arriving.dtype).tiny ** 0.5
    penalty = arriving.new_zeros(())
    depth = arriving.numel().bit_length() - 1
    for level in range(depth):
        ways = arriving.view(2**level, 2, -1).sum(-1)  # (nodes, 2): left and right
        shares = (ways + tiny) / (ways.sum(-1, keepdim=True) + 2 * tiny)
        penalty = penalty - 2.0**-level * 0.5 * shares.log().sum()
    return penalty
