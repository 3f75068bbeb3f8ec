"""What the gateway counts, for Prometheus: requests, rows, seconds, words, answers."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from distillery.deployment.gateway.release import Release

# whitespace words, in the classes of ``nouns.Split``
WORD_BOUNDS = (4, 8, 16, 32, 64, 128)
_SECOND_BOUNDS = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_VERSION = ("model", "version")


class Counts:
    """Since this gateway started, by model and version."""

    def __init__(self) -> None:
        self._registry = here = CollectorRegistry()
        self._requests = Counter(
            "distillery_requests",
            "Requests answered, by HTTP status.",
            (*_VERSION, "status"),
            registry=here,
        )
        self._rows = Counter("distillery_rows", "Rows predicted.", _VERSION, registry=here)
        self._seconds = Histogram(
            "distillery_latency_seconds",
            "From the request's first byte to its answer.",
            _VERSION,
            buckets=_SECOND_BOUNDS,
            registry=here,
        )
        self._words = Histogram(
            "distillery_input_words",
            "Whitespace words of a row.",
            _VERSION,
            buckets=WORD_BOUNDS,
            registry=here,
        )
        self._labels = Counter(
            "distillery_predictions",
            "Rows by predicted label.",
            (*_VERSION, "label"),
            registry=here,
        )

    def answered(self, release: Release, status: int, seconds: float) -> None:
        """One request, however it ended."""
        of = release.model, release.version
        self._requests.labels(*of, str(status)).inc()
        self._seconds.labels(*of).observe(seconds)

    def predicted(self, release: Release, question: object, answer: object) -> None:
        """The rows of an answered request, both as parsed."""
        predictions = answer.get("predictions") if isinstance(answer, Mapping) else None
        if not isinstance(predictions, list):
            return
        of = release.model, release.version
        self._rows.labels(*of).inc(len(predictions))
        for row in predictions:
            if isinstance(row, Mapping) and "label" in row:
                self._labels.labels(*of, str(row["label"])).inc()
        words = self._words.labels(*of)
        for text in texts(question):
            words.observe(len(text.split()))

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


def texts(question: object) -> Iterator[str]:
    """The text of each row, a pair's as one, in whichever of MLflow's formats it was asked.

    Nothing for images, and for Parquet, which is not parsed here.
    """
    match question:
        case {"dataframe_split": {"columns": list() as columns, "data": list() as rows}}:
            for row in rows:
                if isinstance(row, list):
                    yield from _joined(dict(zip(columns, row, strict=False)))
        case {"dataframe_records": list() as rows} | {"instances": list() as rows}:
            yield from _of_rows(rows)
        case {"inputs": list() as rows}:
            yield from _of_rows(rows)
        case {"inputs": {"text": list() as first, **others}}:
            second = others.get("text_pair")
            pairs = second if isinstance(second, list) else [""] * len(first)
            for text, pair in zip(first, pairs, strict=False):
                yield f"{text} {pair}"


def _of_rows(rows: list[object]) -> Iterator[str]:
    for row in rows:
        if isinstance(row, str):
            yield row
        elif isinstance(row, Mapping):
            yield from _joined(row)


def _joined(row: Mapping[str, object]) -> Iterator[str]:
    if "text" in row:
        yield f"{row['text']} {row.get('text_pair') or ''}"
