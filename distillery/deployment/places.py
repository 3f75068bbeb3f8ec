"""All places, by their ``kind``: one line lists each."""

from distillery.deployment.local import Local

AnyPlace = Local
