"""A soft decision tree, drawn: its upper filters, where its branches lead, and one image's path.

Reads the student's weights with numpy alone; the drawing itself is pure.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from distillery import storage
from distillery.data import preparation
from distillery.nouns import Checkpoint, Findings
from distillery.report.plots.colours import INK, MUTED, SERIES
from distillery.report.plots.figure import as_svg
from distillery.runtimes.images import Image, stacked

# C classes, D depth, L = 2^D leaves, N images, P = height · width · channels of one

Floats = NDArray[np.float64]

_MODEL_TYPE = "distillery_soft_tree"
_MOST_IMAGES = 1000
_LEVELS_DRAWN = 3
_MOST_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A trained tree and some test images to send down."""

    name: str
    label_names: tuple[str, ...]
    filters: Floats  # (L − 1, P), in the order of the pixels (channels, height, width)
    biases: Floats  # (L − 1,)
    leaves: Floats  # (L, C) probabilities
    inputs: Floats  # (N, P) normalized
    images: tuple[Image, ...]
    labels: tuple[int, ...]

    @property
    def depth(self) -> int:
        """Decisions a path."""
        return len(self.leaves).bit_length() - 1

    def rights(self) -> Floats:
        """(N, L − 1): the probability of going right at each node, sharpness included."""
        decisions = self.inputs @ self.filters.T + self.biases
        found: Floats = 1 / (1 + np.exp(-np.clip(decisions, -500, 500)))
        return found

    def paths(self) -> Floats:
        """(N, L): the probability of ending in each leaf."""
        rights = self.rights()
        found = np.ones((len(rights), 1))
        for level in range(self.depth):
            here = rights[:, 2**level - 1 : 2 ** (level + 1) - 1]
            found = np.stack([found * (1 - here), found * here], axis=-1).reshape(len(rights), -1)
        return found


def found_in(findings: Findings) -> list[Tree]:
    """The soft trees among the students that were kept, with test images."""
    if findings.dataset.kind != "image":
        return []
    kept = {one.checkpoint_digest for one in findings.candidates if one.role == "student"}
    examples, labels = preparation.read(findings.dataset, "test")
    images = [example for example in examples if isinstance(example, Image)][:_MOST_IMAGES]
    students = [one for one in findings.students if one.digest in kept]
    trees = [_read(student, images, labels[:_MOST_IMAGES]) for student in students]
    return [tree for tree in trees if tree is not None]


def _read(student: Checkpoint, images: Sequence[Image], labels: Sequence[float]) -> Tree | None:
    folder = storage.fetch(student.artifact)
    if json.loads((folder / "config.json").read_text())["model_type"] != _MODEL_TYPE:
        return None
    weights = {
        name: np.asarray(weight, dtype=np.float64)
        for name, weight in load_file(folder / "model.safetensors").items()
    }
    pixels = stacked(images).transpose(0, 3, 1, 2)  # (N, channels, H, W)
    normalized = pixels * weights["normalized.scale"] + weights["normalized.offset"]
    leaves = np.exp(weights["leaves.weight"].T)  # (L, C)
    return Tree(
        name=student.name,
        label_names=student.label_names,
        filters=weights["sharpness"] * weights["filters.weight"],
        biases=weights["sharpness"] * weights["filters.bias"],
        leaves=leaves / leaves.sum(-1, keepdims=True),
        inputs=normalized.reshape(len(images), -1),
        images=tuple(images),
        labels=tuple(int(label) for label in labels),
    )


def upper_levels(tree: Tree) -> str:
    """The first filters as images, and below each branch what its leaves answer, as an SVG."""
    levels = min(_LEVELS_DRAWN, tree.depth)
    paths = tree.paths()
    arriving = paths.mean(0).reshape(2**levels, -1)  # (branches, leaves of each)
    answers = (arriving[..., None] * tree.leaves.reshape(2**levels, -1, tree.leaves.shape[1])).sum(
        1
    )
    shares = arriving.sum(1)
    figure = Figure(figsize=(8.6, 1.25 * levels + 1.9), dpi=72)
    rows = levels + 1
    nodes: dict[tuple[int, int], Axes] = {}
    for level in range(levels):
        for i in range(2**level):
            axes = _cell(figure, rows, level, (i + 0.5) / 2**level, width=0.11)
            _draw_filter(axes, tree, 2**level - 1 + i)
            nodes[level, i] = axes
    for i, (share, answer) in enumerate(zip(shares, answers / shares[:, None], strict=True)):
        axes = _cell(figure, rows, levels, (i + 0.5) / 2**levels, width=0.8 / 2**levels)
        _draw_answer(axes, tree.label_names, answer, f"{share:.0%} of images")
        nodes[levels, i] = axes
    for (level, i), axes in nodes.items():
        for side in (0, 1) if level < levels else ():
            lower = nodes[level + 1, 2 * i + side]
            top = 1.0 if level + 1 < levels else 1.22  # above the answer's title
            _join(figure, axes, lower, "right" if side else "left", top)
    best = [tree.label_names[int(answer.argmax())] for answer in answers]
    return as_svg(
        figure,
        name=f"tree-{tree.name}",
        told=f"The first {levels} levels of {tree.name}. From left to right its branches answer "
        f"most often: {', '.join(best)}.",
    )


def one_path(tree: Tree, row: int = 0) -> str:
    """An image, the filters it meets on its most probable path, and the leaf's answer."""
    rights = tree.rights()[row]
    leaf = int(tree.paths()[row].argmax())
    ways = [int(bit) for bit in f"{leaf:0{tree.depth}b}"]
    figure = Figure(figsize=(8.6, 1.9), dpi=72)
    columns = tree.depth + 2.6
    axes = figure.add_axes((0.01, 0.3, 0.9 / columns, 0.5))
    axes.imshow(tree.images[row].pixels.squeeze(), cmap="gray_r" if _grey(tree) else None)
    _bare(axes, f"label {tree.label_names[tree.labels[row]]}")
    node, told = 0, []
    for step, way in enumerate(ways):
        axes = figure.add_axes(((step + 1.1) / columns, 0.3, 0.9 / columns, 0.5))
        _draw_filter(axes, tree, node)
        probability = rights[node] if way else 1 - rights[node]
        word = "right" if way else "left"
        _bare(axes, f"{word} {probability:.0%}")
        told.append(f"{word} {probability:.0%}")
        node = 2 * node + 1 + way
    axes = figure.add_axes(((tree.depth + 1.2) / columns, 0.3, 1.35 / columns, 0.5))
    answer = tree.leaves[leaf]
    _draw_answer(axes, tree.label_names, answer, f"leaf: {tree.label_names[answer.argmax()]}")
    return as_svg(
        figure,
        name=f"path-{tree.name}",
        told=f"One image's path through {tree.name}: {', '.join(told)}; its leaf answers "
        f"{tree.label_names[answer.argmax()]}.",
    )


def _grey(tree: Tree) -> bool:
    return tree.images[0].shape[-1] == 1


def _cell(figure: Figure, rows: int, row: int, center: float, *, width: float) -> Axes:
    height = 0.62 / rows
    return figure.add_axes((center - width / 2, 1 - (row + 0.86) / rows, width, height))


def _draw_filter(axes: Axes, tree: Tree, node: int) -> None:
    """What speaks for going right is dark blue, for left dark red; the mean over channels."""
    H, W, C = tree.images[0].shape
    pixels = tree.filters[node].reshape(C, H, W).mean(0)
    reach = float(np.abs(pixels).max()) or 1.0
    axes.imshow(pixels, cmap="RdBu", vmin=-reach, vmax=reach)
    _bare(axes)


def _draw_answer(axes: Axes, label_names: Sequence[str], answer: Floats, below: str) -> None:
    colours = [SERIES[0] if share == answer.max() else MUTED for share in answer]
    axes.bar(range(len(answer)), answer, color=colours, width=0.8)
    axes.set_ylim(0, 1)
    _bare(axes, below)
    # a branch may lead to several labels: those at least half as likely as the first
    order = [int(i) for i in np.argsort(-answer)[:_MOST_NAMES] if answer[i] >= answer.max() / 2]
    named = ", ".join(label_names[i] for i in order)
    axes.set_title(named, fontsize=9, color=INK, pad=2, parse_math=False)


def _bare(axes: Axes, below: str = "") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_color(MUTED)
        spine.set_linewidth(0.6)
    axes.set_xlabel(below, fontsize=8.5, color=MUTED, labelpad=3, parse_math=False)


def _join(figure: Figure, upper: Axes, lower: Axes, side: str, top: float) -> None:
    line = ConnectionPatch(
        xyA=(0.25 if side == "left" else 0.75, 0),
        coordsA=upper.transAxes,
        xyB=(0.5, top),
        coordsB=lower.transAxes,
        color=MUTED,
        linewidth=0.8,
        zorder=-1,
    )
    figure.add_artist(line)
