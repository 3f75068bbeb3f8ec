"""Reaching a checkpoint by hub name or local folder, with one clear line where that fails.

``who`` is who asked for it, and what that line starts with.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from distillery.data.asking_hub import ask_hub
from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

Pooling = Annotated[
    Literal["first_token", "mean"],
    Field(
        title="Pooling",
        description="What the head reads: the first token, as BERT does, or the mean of all "
        "tokens, for which sentence encoders are trained.",
    ),
]

_REACHING = (OSError, ValueError, RuntimeError)


def located(source: str) -> str:
    """The hub name as it is; a path with its ``~`` expanded."""
    return str(Path(source).expanduser()) if source.startswith("~") else source


def config_of(source: str, who: str = "teacher") -> "PretrainedConfig":
    """The checkpoint's configuration, no weights.

    Raises ``UserError`` where it cannot be reached, is damaged, or is no text encoder.
    """
    from transformers import AutoConfig

    source = located(source)
    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise UserError(
            f"{who}: the folder '{source}' holds no config.json; give a folder in the "
            "Transformers layout (config.json, model.safetensors, tokenizer.json)"
        )
    if _is_path(source) and not Path(source).is_dir():
        raise UserError(
            f"{who}: there is no folder '{source}'; give a checkpoint's folder or hub name"
        )
    try:
        _ask_hub(source)
        config: PretrainedConfig = AutoConfig.from_pretrained(source)
    except _REACHING as error:
        raise _unreachable(source, error, who) from error
    if not getattr(config, "num_hidden_layers", None):
        raise UserError(
            f"{who}: '{source}' ({config.model_type}) is no text encoder with layers; "
            "give a BERT-like checkpoint"
        )
    return config


def tokenizer_of(source: str, who: str = "teacher") -> "PreTrainedTokenizerFast":
    """The checkpoint's tokenizer, in its fast form.

    Raises ``UserError`` where there is none: what is served is tokenizer.json.
    """
    from transformers import AutoTokenizer

    source = located(source)
    try:
        _ask_hub(source)
        tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(source)  # type: ignore[assignment]
    except _REACHING as error:
        raise _unreachable(source, error, who) from error
    if not tokenizer.is_fast:
        raise UserError(
            f"{who}: '{source}' has no fast tokenizer (tokenizer.json); choose one that has"
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # Transformers makes an empty one where the files are missing: every word would be unknown
        raise UserError(
            f"{who}: '{source}' has no vocabulary; give a checkpoint with its tokenizer.json"
        )
    return tokenizer


def check_weights(source: str, who: str = "teacher") -> None:
    """Read the weight file's header where the source is a local folder.

    Raises ``UserError`` for weights that are missing, cut short, or in a format that would have
    to be unpickled.
    """
    from safetensors import SafetensorError, safe_open

    folder = Path(located(source))
    if not folder.is_dir():
        return
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(
            f"{who}: the folder '{source}' holds no *.safetensors; other formats are not read, "
            "since they could run code: save the checkpoint again with safetensors"
        )
    for file in files:
        try:
            with safe_open(file, framework="numpy") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise UserError(f"{who}: {file} is damaged ({error}); fetch it again") from error


def classifier_config_of(source: str, pooling: Pooling, who: str = "teacher") -> "PretrainedConfig":
    """The checkpoint's own configuration, under the head that was chosen; no weights."""
    config = config_of(source, who)
    if pooling == "first_token":
        return config
    from distillery.architectures.pooled_encoder import PooledEncoderConfig

    return PooledEncoderConfig(encoder=config)


def classifier_of(
    source: str, pooling: Pooling, label_names: Sequence[str], who: str = "teacher"
) -> LoadedModel:
    """The encoder with a new head, and its tokenizer."""
    from transformers import AutoModel, AutoModelForSequenceClassification

    from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig

    labels = {
        "num_labels": len(label_names),
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: i for i, name in enumerate(label_names)},
    }
    if pooling == "mean":
        encoder = AutoModel.from_pretrained(located(source), use_safetensors=True)
        model = PooledEncoder(PooledEncoderConfig(encoder=encoder.config, **labels))
        # the pooler alone is left over
        model.encoder.load_state_dict(encoder.state_dict(), strict=False)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(
            located(source), ignore_mismatched_sizes=True, use_safetensors=True, **labels
        )
    return LoadedModel(model=model, tokenizer=tokenizer_of(source, who))


def _ask_hub(source: str) -> None:
    if not Path(source).is_dir():
        ask_hub(source, "config.json", "model")


def _is_path(source: str) -> bool:
    return source.startswith(("/", "./", "../", "~")) or source.count("/") > 1


def _unreachable(source: str, error: Exception, who: str) -> UserError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    where = ": --set teacher.source=/path/to/checkpoint" if who == "teacher" else " as its source"
    return UserError(
        f"{who}: cannot reach '{source}': {first_line[:160]}; check the name and the network, "
        f"or give a local folder{where}"
    )
