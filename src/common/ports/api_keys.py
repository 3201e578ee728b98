"""Where the records of API keys are found."""

from __future__ import annotations

from typing import Protocol

from common.domain.api_keys import ApiKey


class ApiKeyStore(Protocol):
    """The records of the keys, as functions see them: read one by one, never listed."""

    def find(self, key_id: str) -> ApiKey | None:
        """Return a key's record as the last write left it, revoked ones too.

        Raises
        ------
        ThrottledError, StoreError
            The store does not answer; nobody knows whether there is such a key.
        """
        ...
