"""What a masked language model would put in a word's place, for many words at once.

Shapes: B batch, S sequence, H hidden, V vocabulary.
"""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from distillery.augmentation.base import restated
from distillery.augmentation.words import Word
from distillery.errors import UserError
from distillery.teachers import hub
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.training.encoding import Collator

log = logging.getLogger(__name__)

_BATCH_TOKENS = 4096
_MOST_TOKENS = 512
_MEND = "give masked_lm a local folder or hub name of a checkpoint with its masked-LM head"


class MaskedLanguageModel:
    """Fills in words. Use ``load``."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = loaded.model.eval()  # type: ignore[no-untyped-call]
        self._model.to(self._device)
        self._words = whole_words(loaded.tokenizer)
        self._ids = torch.tensor(sorted(self._words), device=self._device)
        longest = architecture_of(loaded.model.config).max_tokens
        self._max_length = min(longest or _MOST_TOKENS, _MOST_TOKENS)

    @classmethod
    def load(cls, source: str) -> "MaskedLanguageModel":
        """From a local folder or the hub; nothing is unpickled.

        Raises ``UserError`` where it cannot be had, or where its head is missing: Transformers
        would make one at random, and the candidates would be noise.
        """
        what = f"masked language model '{source}'"
        try:
            hub.config_of(source)
            hub.check_weights(source)
            tokenizer = hub.tokenizer_of(source)
        except UserError as error:
            raise restated(error, what, _MEND) from error
        if tokenizer.mask_token_id is None:
            raise UserError(f"augmentation: {what}: its tokenizer has no mask token; {_MEND}")
        verbosity = transformers_logging.get_verbosity()
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            model, info = AutoModelForMaskedLM.from_pretrained(
                hub.located(source), use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"augmentation: {what} cannot be loaded: {lines[0][:160]}; {_MEND}"
            ) from error
        finally:
            transformers_logging.set_verbosity(verbosity)
        missing = sorted(info["missing_keys"])
        if missing:
            raise UserError(
                f"augmentation: {what} holds no masked-LM head ('{missing[0]}' is missing); "
                "choose a checkpoint with one, such as 'google-bert/bert-base-uncased', or one "
                "that distillery's general distillation trained, or leave masked_lm out to use "
                "word vectors alone"
            )
        return cls(LoadedModel(model=model, tokenizer=tokenizer))

    @torch.inference_mode()
    def candidates(
        self,
        strings: Sequence[str],
        words: Sequence[Sequence[Word]],
        wanted: Sequence[Sequence[int]],
        count: int,
    ) -> list[dict[int, list[str]]]:
        """For each string: position of a wanted single-piece word → its likeliest others.

        One row a word: [CLS] the text with it masked [SEP] the text [SEP], as the authors'.
        """
        found: list[dict[int, list[str]]] = [{} for _ in strings]
        rows = self._rows(strings, words, wanted)
        # by length, so that there is little to pad; batches by tokens, so that they fit in memory
        rows.sort(key=lambda row: len(row[2]["input_ids"]))
        start = 0
        while start < len(rows):
            end = start + 1
            while end < len(rows) and (
                (end + 1 - start) * len(rows[end][2]["input_ids"]) <= _BATCH_TOKENS
            ):
                end += 1
            batch = rows[start:end]
            likeliest = self._likeliest([row for _, _, row in batch], count)
            for (string, word, _), ids in zip(batch, likeliest, strict=True):
                own = words[string][word].text.casefold()
                others = [self._words[i] for i in ids if self._words[i].casefold() != own]
                found[string][word] = list(dict.fromkeys(others))[:count]
            start = end
        return found

    def _rows(
        self,
        strings: Sequence[str],
        words: Sequence[Sequence[Word]],
        wanted: Sequence[Sequence[int]],
    ) -> list[tuple[int, int, dict[str, Any]]]:
        """(string, word, encoding) of each wanted word that is a single piece where it stands."""
        chosen = [i for i, positions in enumerate(wanted) if positions]
        if not chosen:
            return []
        tokenizer = self.loaded.tokenizer
        texts = [strings[i] for i in chosen]
        encoded = tokenizer(
            texts,
            texts,
            truncation=True,
            max_length=self._max_length,
            return_offsets_mapping=True,
        )
        offsets = encoded["offset_mapping"]
        sequences = [name for name in encoded if name != "offset_mapping"]
        rows = []
        for n, string in enumerate(chosen):
            of_first = [i for i, part in enumerate(encoded.sequence_ids(n)) if part == 0]
            for position in wanted[string]:
                word = words[string][position]
                pieces = [
                    i
                    for i in of_first
                    if offsets[n][i][0] < word.end and offsets[n][i][1] > word.start
                ]
                ids = list(encoded["input_ids"][n])
                if len(pieces) != 1 or ids[pieces[0]] == tokenizer.unk_token_id:
                    continue
                start, end = offsets[n][pieces[0]]
                if strings[string][start:end].strip() != word.text:
                    continue  # the piece holds more than the word
                ids[pieces[0]] = tokenizer.mask_token_id
                row = {name: encoded[name][n] for name in sequences} | {"input_ids": ids}
                rows.append((string, position, row | {"masked": pieces[0]}))
        return rows

    def _likeliest(self, rows: Sequence[dict[str, Any]], count: int) -> list[list[int]]:
        """Ids of whole words, likeliest first; a few more than ``count``, to leave some out."""
        masked = torch.tensor([row["masked"] for row in rows], device=self._device)
        inputs = [{k: v for k, v in row.items() if k != "masked"} for row in rows]
        batch = Collator(self.loaded.tokenizer.pad_token_id)(inputs)
        every = torch.arange(len(rows), device=self._device)

        def at_the_mask(module: Any, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
            return (hidden[0][every, masked],)  # (B, S, H) → (B, H)

        # the vocabulary is the widest layer there is: asked at one position, not at all S
        decoder = self._model.get_output_embeddings()
        hook = decoder.register_forward_pre_hook(at_the_mask)
        try:
            logits = self._model(
                **{name: tensor.to(self._device) for name, tensor in batch.items()}
            ).logits  # (B, V)
        finally:
            hook.remove()
        # the word itself, in each of its spellings with capitals
        most = min(count + 4, len(self._ids))
        best = logits[:, self._ids].topk(most, dim=-1).indices
        ids: list[list[int]] = self._ids[best].tolist()
        return ids


def whole_words(tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """Ids of the pieces that are a whole word of letters, with that word.

    A piece is a whole word where the tokenizer makes it, and it alone, of its own text: neither
    '##ing' nor a special token is.
    """
    special = set(tokenizer.all_special_ids)
    ids = [i for i in sorted(tokenizer.get_vocab().values()) if i not in special]
    texts = [text.strip() for text in tokenizer.batch_decode([[i] for i in ids])]
    letters = [(i, text) for i, text in zip(ids, texts, strict=True) if text.isalpha()]
    if not letters:
        return {}
    # the space tells byte-level vocabularies that a word starts here
    again = tokenizer([f" {text}" for _, text in letters], add_special_tokens=False)["input_ids"]
    return {i: text for (i, text), back in zip(letters, again, strict=True) if back == [i]}
