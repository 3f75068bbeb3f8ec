"""Trim a model's vocabulary to what the task's texts need, before it is trained.

Most weights of a small student are its embedding table, and most rows of that table stand for
tokens that the task never shows. Without them optimizer steps, memory and file all shrink, and the
logits of the given texts stay what they were.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any

from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Embedding
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

    from distillery.data.examples import Text

log = logging.getLogger(__name__)

_CHUNK = 4096  # texts encoded at once: enough for the Rust threads, little to hold
_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")


def trim(loaded: LoadedModel, texts: "Sequence[Text]", *, seen_at_least: int = 1) -> LoadedModel:
    """A copy with a smaller vocabulary; every given text keeps its segmentation and its logits.

    Stay: special and added tokens, all that occurs in ``texts`` (each of a pair by itself), and
    the characters or bytes that unseen words fall back to. Truncation plays no part. Where tokens
    must have been seen more than once, rare ones fall back too, and texts with them are segmented
    more finely than before.

    Raises ``UserError`` for a kind of vocabulary that cannot be trimmed.
    """
    tokenizer, model = loaded.tokenizer, loaded.model
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    if whole["model"]["type"] not in ("WordPiece", "BPE", "Unigram"):
        raise UserError(
            f"a vocabulary of kind {whole['model']['type']} has no smaller pieces to fall back to, "
            "so it cannot be trimmed; choose one of WordPiece, BPE, Unigram, or don't trim"
        )
    rows = _words(model).num_embeddings
    kept = (
        needed(tokenizer, texts, seen_at_least=seen_at_least)
        | set(tokenizer.all_special_ids)
        | {token["id"] for token in whole["added_tokens"]}
        | _fallbacks(whole["model"])
        | _named_in_config(model, rows)
        | _below_counted_positions(model)
    )
    kept |= _ancestors(kept, whole["model"])
    if max(kept) >= rows:
        raise UserError(
            f"the tokenizer has token {max(kept)} but the model's embedding only {rows} rows; "
            "resize the model's embedding to its tokenizer, or don't trim"
        )
    # in their old order, so that a pad id of 0 stays 0
    ids = {old: new for new, old in enumerate(sorted(kept))}
    trimmed = LoadedModel(
        model=_with_rows(model, ids), tokenizer=_with_tokens(tokenizer, whole, ids)
    )
    if seen_at_least == 1:
        _prove(tokenizer, trimmed.tokenizer, texts, ids)
    log.info("vocabulary: %d of %d tokens stay", len(ids), rows)
    return trimmed


def needed(
    tokenizer: "PreTrainedTokenizerFast", texts: "Sequence[Text]", *, seen_at_least: int = 1
) -> frozenset[int]:
    """The ids that occur so often when ``texts`` are encoded without truncation."""
    bare = _bare(tokenizer)
    found: Counter[int] = Counter()
    for chunk in _chunks(texts):
        for encoding in bare.encode_batch_fast(chunk):
            found.update(encoding.ids)
    return frozenset(i for i, count in found.items() if count >= seen_at_least)


def _bare(tokenizer: "PreTrainedTokenizerFast") -> "Tokenizer":
    """A copy of the Rust tokenizer that neither truncates nor pads."""
    from tokenizers import Tokenizer

    bare = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    bare.encode_special_tokens = tokenizer.backend_tokenizer.encode_special_tokens
    bare.no_truncation()
    bare.no_padding()
    return bare


def _chunks(texts: "Sequence[Text]") -> Iterator[list[str]]:
    """Each text of a pair by itself: a tokenizer segments them apart."""
    single = (one for text in texts for one in ([text] if isinstance(text, str) else text))
    while chunk := list(islice(single, _CHUNK)):
        yield chunk


def _numbered(model: Mapping[str, Any]) -> dict[str, int]:
    """Token → id; a Unigram's vocabulary is a list of (token, score)."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        return vocabulary
    return {token: i for i, (token, _) in enumerate(vocabulary)}


def _fallbacks(model: Mapping[str, Any]) -> set[int]:
    """What keeps any input from failing: single characters, bytes, and the unknown token."""
    vocabulary = _numbered(model)
    prefix = model.get("continuing_subword_prefix") or ""
    suffix = model.get("end_of_word_suffix") or ""
    found = set()
    for token, i in vocabulary.items():
        start = prefix if token.startswith(prefix) else ""
        end = suffix if token.endswith(suffix) else ""
        characters = token[len(start) : len(token) - len(end)]
        if len(characters) > 1:
            spelled = [start + characters[0], *(prefix + one for one in characters[1:])]
            spelled[-1] += end
            # one that no characters can stand in for would turn unseen words into [UNK]
            if all(one in vocabulary for one in spelled):
                continue
        found.add(i)
    if model.get("byte_fallback"):
        found |= {i for token, i in vocabulary.items() if _BYTE_TOKEN.fullmatch(token)}
    if model.get("unk_token") in vocabulary:
        found.add(vocabulary[model["unk_token"]])
    if model["type"] == "Unigram":
        if model["unk_id"] is not None:
            found.add(model["unk_id"])
        # an unknown character's score is counted from the lowest of the vocabulary
        scores = [score for _, score in model["vocab"]]
        found.add(scores.index(min(scores)))
    return found


def _ancestors(kept: Iterable[int], model: Mapping[str, Any]) -> set[int]:
    """The pieces that BPE merges on its way to the kept tokens.

    All rules that end in a kept token count. What was merged for a text is then still there, in
    the same order, and no rule was added, so that each step is the one taken before.
    """
    vocabulary = _numbered(model)
    parts: dict[str, list[str]] = {}
    for left, right in _merges(model):
        parts.setdefault(_merged(left, right, model), []).extend((left, right))
    names = {i: token for token, i in vocabulary.items()}
    open_ends = [names[i] for i in kept if i in names]
    found = set(open_ends)
    while open_ends:
        fresh = set(parts.get(open_ends.pop(), ())) - found
        found |= fresh
        open_ends.extend(fresh)
    return {vocabulary[token] for token in found}


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """BPE's rules by rank, whichever way they are written; none for other kinds."""
    pairs = (
        merge.split(" ") if isinstance(merge, str) else merge for merge in model.get("merges", ())
    )
    return [(left, right) for left, right in pairs]


def _merged(left: str, right: str, model: Mapping[str, Any]) -> str:
    return left + right.removeprefix(model.get("continuing_subword_prefix") or "")


def _configs(config: "PretrainedConfig") -> "list[PretrainedConfig]":
    """The configuration and those nested in it."""
    return [config, *(getattr(config, name) for name in config.sub_configs)]


def _named_in_config(model: "PreTrainedModel", rows: int) -> set[int]:
    """The ids that configurations name (``pad_token_id`` …) and the model has a row for."""
    found = set()
    for config in _configs(model.config):
        for name, value in vars(config).items():
            if name.endswith("_token_id"):
                found |= {i for i in (value if isinstance(value, list) else [value])} - {None}
    return {i for i in found if 0 <= i < rows}


def _words(model: "PreTrainedModel") -> "Embedding":
    """The table with a row for each token."""
    from torch.nn import Embedding

    table = model.get_input_embeddings()
    if not isinstance(table, Embedding):
        raise UserError(
            f"{type(model).__name__} keeps its tokens in {type(table).__name__}, which cannot be "
            "trimmed; don't trim"
        )
    return table


def _below_counted_positions(model: "PreTrainedModel") -> set[int]:
    """Where positions are counted from the padding index (RoBERTa), it must not move."""
    from torch.nn import Embedding

    words = _words(model)
    starts = [
        module.padding_idx
        for module in model.modules()
        if isinstance(module, Embedding) and module is not words and module.padding_idx is not None
    ]
    return set(range(max(starts) + 1)) if starts else set()


def _with_rows(model: "PreTrainedModel", ids: Mapping[int, int]) -> "PreTrainedModel":
    """The same model over the kept rows: embedding, and a language model's output and bias.

    Built anew, so that every padding index comes from the renumbered configuration.
    """
    import torch

    config = deepcopy(model.config)
    config.vocab_size = len(ids)
    for part in _configs(config):
        for name, value in list(vars(part).items()):
            if name.endswith("_token_id") and isinstance(value, list):
                setattr(part, name, [ids.get(i, i) for i in value])
            elif name.endswith("_token_id"):
                setattr(part, name, ids.get(value, value))
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are all replaced
        smaller: PreTrainedModel = type(model)._from_config(  # type: ignore[no-untyped-call]
            config, dtype=model.dtype, attn_implementation=config._attn_implementation
        )
    smaller.to(model.device)  # type: ignore[arg-type]
    shapes = {name: weight.shape for name, weight in smaller.state_dict().items()}
    rows = torch.tensor(list(ids), device=model.device)
    smaller.load_state_dict(
        {
            name: weight if weight.shape == shapes[name] else weight[rows]
            for name, weight in model.state_dict().items()
        },
        strict=True,
    )
    for name, weight in model.named_parameters():
        smaller.get_parameter(name).requires_grad = weight.requires_grad
    smaller.train(model.training)
    return smaller


def _with_tokens(
    tokenizer: "PreTrainedTokenizerFast", whole: Mapping[str, Any], ids: Mapping[int, int]
) -> "PreTrainedTokenizerFast":
    """The same tokenizer over the kept tokens, renumbered wherever its JSON names an id."""
    from tokenizers import Tokenizer

    edited = deepcopy({name: part for name, part in whole.items() if name != "model"})
    edited["model"] = _trimmed_model(whole["model"], ids)
    for token in edited["added_tokens"]:
        token["id"] = ids[token["id"]]
    edited["added_tokens"].sort(key=lambda token: token["id"])
    _renumber(edited["post_processor"], ids)
    if edited["padding"]:
        # written by the last call that padded; a stale one must not fail here
        edited["padding"]["pad_id"] = ids.get(edited["padding"]["pad_id"], 0)
    backend = Tokenizer.from_str(json.dumps(edited))
    backend.encode_special_tokens = tokenizer.backend_tokenizer.encode_special_tokens
    trimmed = deepcopy(tokenizer)
    # not by its constructor: the classes that build their own backend take none
    trimmed._tokenizer = backend
    return trimmed


def _trimmed_model(model: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """The JSON's vocabulary, merges and unknown id."""
    trimmed = dict(model)
    if model["type"] == "Unigram":
        trimmed["vocab"] = [piece for i, piece in enumerate(model["vocab"]) if i in ids]
        trimmed["unk_id"] = ids.get(model["unk_id"])
        return trimmed
    trimmed["vocab"] = {token: ids[i] for token, i in model["vocab"].items() if i in ids}
    if model["type"] == "BPE":
        trimmed["merges"] = [
            [left, right]
            for left, right in _merges(model)
            if {left, right, _merged(left, right, model)} <= trimmed["vocab"].keys()
        ]
    return trimmed


def _renumber(post_processor: dict[str, Any] | None, ids: Mapping[int, int]) -> None:
    """The special tokens that a post-processor adds."""
    if post_processor is None:
        return
    for step in post_processor.get("processors", ()):  # Sequence
        _renumber(step, ids)
    for token in post_processor.get("special_tokens", {}).values():  # TemplateProcessing
        token["ids"] = [ids[i] for i in token["ids"]]
    for name in ("cls", "sep"):  # BertProcessing, RobertaProcessing
        if name in post_processor:
            token, i = post_processor[name]
            post_processor[name] = [token, ids[i]]


def _prove(
    before: "PreTrainedTokenizerFast",
    after: "PreTrainedTokenizerFast",
    texts: "Sequence[Text]",
    ids: Mapping[int, int],
) -> None:
    """Every given text has the same tokens at the same offsets, and every token its new id.

    Raises ``RuntimeError`` where not: teacher and student would no longer read in step.
    """
    names = after.get_vocab()
    for token, i in before.get_vocab().items():
        if names.get(token) != ids.get(i):
            raise RuntimeError(f"token {token!r} became {names.get(token)}, not {ids.get(i)}")
    old, new = _bare(before), _bare(after)
    for chunk in _chunks(texts):
        both = zip(chunk, old.encode_batch(chunk), new.encode_batch(chunk), strict=True)
        for text, was, now in both:
            if [ids[i] for i in was.ids] != now.ids or was.offsets != now.offsets:
                raise RuntimeError(
                    f"the trimmed vocabulary segments {text!r} differently: {was.tokens} became "
                    f"{now.tokens}"
                )
