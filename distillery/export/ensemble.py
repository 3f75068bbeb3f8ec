"""Several teachers in one folder, answering as one: a reference, never exported to a graph."""

import json
import shutil
from pathlib import Path

from distillery import storage
from distillery.nouns import Candidate, Ensemble
from distillery.runtimes.base import Card


def ensemble_candidate(ensemble: Ensemble, *, is_pair: bool) -> Candidate:
    """Each member's checkpoint with its own tokenizer, and how their answers are averaged."""
    name = "teacher pytorch"
    size_bytes = 0
    with storage.new_folder() as folder:
        for i, member in enumerate(ensemble.members):
            own = folder / f"member-{i}"
            shutil.copytree(storage.fetch(member.artifact), own)
            _card(member.name, member.max_length, ensemble, own, is_pair=is_pair).write(own)
            size_bytes += (own / "model.safetensors").stat().st_size
        longest = max(member.max_length for member in ensemble.members)
        _card(name, longest, ensemble, folder / "member-0", is_pair=is_pair).write(folder)
        (folder / "ensemble.json").write_text(
            json.dumps({"weights": ensemble.weights, "mean": ensemble.mean}) + "\n",
            encoding="utf-8",
        )
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=name,
        role="teacher",
        runtime="pytorch",
        precision="fp32",
        artifact=artifact,
        size_bytes=size_bytes,
        checkpoint_name="teacher",
        checkpoint_digest=ensemble.digest,
        parent_digest=None,
        label_names=ensemble.label_names,
    )


def _card(name: str, max_length: int, ensemble: Ensemble, member: Path, *, is_pair: bool) -> Card:
    config = json.loads((member / "config.json").read_text(encoding="utf-8"))
    return Card(
        name=name,
        label_names=ensemble.label_names,
        max_length=max_length,
        is_pair=is_pair,
        pad_token_id=config.get("pad_token_id") or 0,
        kind="image" if "image_shape" in config else "text",
        image_shape=tuple(config["image_shape"]) if "image_shape" in config else None,
    )
