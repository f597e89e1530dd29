"""What a file says about itself."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Metadata:
    """The title and the date of creation that stand in a file; None where they do not."""

    title: str | None = None
    created_at: datetime | None = None
