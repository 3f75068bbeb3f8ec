"""The reigning champion as a candidate: same scales, same day, same machine."""

import logging
from collections.abc import Sequence
from typing import cast

from distillery import storage, tracking
from distillery.nouns import Candidate, Dataset, Precision
from distillery.runtimes.base import Card

log = logging.getLogger(__name__)


def fetch(model: str, dataset: Dataset, challengers: Sequence[Candidate]) -> Candidate | None:
    """None where there is no champion, it is among the challengers, or it knows other labels or
    reads other rows.

    Raises ``UserError`` where the champion was not registered by distillery.
    """
    version = tracking.champion(model)
    if version is None or version.candidate_digest in {c.digest for c in challengers}:
        return None
    artifact = tracking.download(version)
    folder = storage.fetch(artifact)
    card = Card.read(folder)
    if set(card.label_names) != set(dataset.label_names):
        log.warning(
            "the champion %s knows other labels than this data set; it cannot be compared",
            version.uri,
        )
        return None
    if (card.image_shape, card.is_pair) != (dataset.image_shape, dataset.is_pair):
        log.warning("the champion %s reads other rows; it cannot be compared", version.uri)
        return None
    tags = tracking.tags_of(version)
    return Candidate(
        name=f"champion v{version.version}",
        role="champion",
        runtime="onnxruntime",
        precision=cast(Precision, tags.get("distillery.precision", "fp32")),
        artifact=artifact,
        size_bytes=(folder / "model.onnx").stat().st_size,
        checkpoint_name=tags.get("distillery.checkpoint", "unknown"),
        checkpoint_digest=tags.get("distillery.checkpoint_digest", "unknown"),
        parent_digest=None,
        label_names=card.label_names,
    )
