"""What earlier screenings showed, kept in the storage: a configuration is screened once a place.

Only a screening is reused, and only to leave out what is surely slower: whatever is ranked was
measured anew, side by side.
"""

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from distillery import __version__, digests, storage
from distillery.measurements import Fingerprint, Measurement, Scenario
from distillery.search.outcome import Screened

log = logging.getLogger(__name__)

_KIND = "screenings"


@dataclass(frozen=True, kw_only=True)
class Screenings:
    """Those of one place, target, scenario and set of texts, beside one anchor."""

    place: Fingerprint
    target: str
    scenario: Scenario
    texts_digest: str
    anchor_digest: str
    anchor_threads: int

    def find(self, name: str, digest: str, threads: int) -> Screened | None:
        """What was kept of this content, under whatever name; None where nothing readable was."""
        data = storage.kept(_KIND, self._key(digest, threads))
        if data is None:
            return None
        try:
            found = Screened.model_validate_json(data)
        except ValidationError as error:
            log.warning("a kept screening cannot be read; measuring again: %s", error.errors()[0])
            return None
        renamed = found.measurement.model_copy(update={"candidate_name": name})
        return found.model_copy(update={"measurement": renamed})

    def keep(self, screened: Screened) -> None:
        """Unless it was measured elsewhere than here."""
        measured = screened.measurement
        if measured.fingerprint == self.place:
            key = self._key(measured.candidate_digest, measured.threads)
            storage.keep(_KIND, key, screened.model_dump_json().encode())

    def screened(self, session: str, measured: Measurement, anchor: Measurement) -> Screened:
        """One of a session, kept."""
        made = Screened(session=session, measurement=measured, anchor=anchor)
        self.keep(made)
        return made

    def _key(self, digest: str, threads: int) -> str:
        return digests.of_json(
            [
                __version__,
                [digest, threads],
                [self.anchor_digest, self.anchor_threads],
                [self.place.digest, self.target],
                [self.scenario.model_dump(mode="json"), self.texts_digest],
            ]
        )[:32]
