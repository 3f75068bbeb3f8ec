"""What a gateway's metrics say of the version that answers."""

from prometheus_client.parser import text_string_to_metric_families

from distillery.deployment.base import Observed, Served
from distillery.deployment.gateway.counting import WORD_BOUNDS


def observed(page: str, served: Served) -> Observed:
    """Out of Prometheus' text format."""
    rows = 0
    labels: dict[str, int] = {}
    at_most: dict[float, int] = {}
    of = {"model": served.model, "version": served.version}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if of.items() - sample.labels.items():
                continue
            match sample.name:
                case "distillery_rows_total":
                    rows = int(sample.value)
                case "distillery_predictions_total":
                    labels[sample.labels["label"]] = int(sample.value)
                case "distillery_input_words_bucket":
                    at_most[float(sample.labels["le"])] = int(sample.value)
    counts = [at_most.get(bound, 0) for bound in (*WORD_BOUNDS, float("inf"))]
    histogram = [high - low for low, high in zip([0, *counts], counts, strict=False)]
    return Observed(
        model=served.model,
        version=served.version,
        rows=rows,
        predicted_labels=labels,
        length_histogram=tuple(histogram) if counts[-1] else (),
    )
