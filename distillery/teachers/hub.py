"""Reaching a checkpoint by hub name or local folder, with one clear line where that fails."""

from pathlib import Path
from typing import TYPE_CHECKING

from distillery.errors import UserError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

_REACHING = (OSError, ValueError, RuntimeError)


def located(source: str) -> str:
    """The hub name as it is; a path with its ``~`` expanded."""
    return str(Path(source).expanduser()) if source.startswith("~") else source


def config_of(source: str) -> "PretrainedConfig":
    """The checkpoint's configuration, no weights.

    Raises ``UserError`` where it cannot be reached, is damaged, or is no text encoder.
    """
    from transformers import AutoConfig

    source = located(source)
    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise UserError(
            f"teacher: the folder '{source}' holds no config.json; give a folder in the "
            "Transformers layout (config.json, model.safetensors, tokenizer.json)"
        )
    if _is_path(source) and not Path(source).is_dir():
        raise UserError(
            f"teacher: there is no folder '{source}'; give a checkpoint's folder or hub name"
        )
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(source)
    except _REACHING as error:
        raise _unreachable(source, error) from error
    if not getattr(config, "num_hidden_layers", None):
        raise UserError(
            f"teacher: '{source}' ({config.model_type}) is no text encoder with layers; "
            "give a BERT-like checkpoint"
        )
    return config


def tokenizer_of(source: str) -> "PreTrainedTokenizerFast":
    """The checkpoint's tokenizer, in its fast form.

    Raises ``UserError`` where there is none: what is served is tokenizer.json.
    """
    from transformers import AutoTokenizer

    source = located(source)
    try:
        tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(source)  # type: ignore[assignment]
    except _REACHING as error:
        raise _unreachable(source, error) from error
    if not tokenizer.is_fast:
        raise UserError(
            f"teacher: '{source}' has no fast tokenizer (tokenizer.json); choose one that has"
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # Transformers makes an empty one where the files are missing: every word would be unknown
        raise UserError(
            f"teacher: '{source}' has no vocabulary; give a checkpoint with its tokenizer.json"
        )
    return tokenizer


def check_weights(source: str) -> None:
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
            f"teacher: the folder '{source}' holds no *.safetensors; other formats are not read, "
            "since they could run code: save the checkpoint again with safetensors"
        )
    for file in files:
        try:
            with safe_open(file, framework="numpy") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise UserError(f"teacher: {file} is damaged ({error}); fetch it again") from error


def _is_path(source: str) -> bool:
    return source.startswith(("/", "./", "../", "~")) or source.count("/") > 1


def _unreachable(source: str, error: Exception) -> UserError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(
        f"teacher: cannot reach '{source}': {first_line[:160]}; check the name and the network, "
        "or give a local folder: --set teacher.source=/path/to/checkpoint"
    )
