"""Calling a function with a batch, through Lambda's interface."""

import json
import logging
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ReadTimeoutError,
)

from eventstream.local.batches import Batch
from eventstream.local.delivery import Call
from eventstream.local.function_errors import FunctionErrors
from eventstream.local.records import payload

logger = logging.getLogger(__name__)


class FunctionInvoker:
    """Calls one function.

    Parameters
    ----------
    functions
        Lambda client, with a read timeout above the function's and without retries.
    name
        The function.
    """

    def __init__(self, functions: Any, name: str) -> None:  # noqa: ANN401
        self._functions = functions
        self._name = name
        self._errors = FunctionErrors()

    def __call__(self, batch: Batch) -> Call:
        """Call the function with a batch and wait for its answer."""
        try:
            reply = self._functions.invoke(FunctionName=self._name, Payload=payload(batch.records))
            body = reply["Payload"].read()
        except ReadTimeoutError:
            logger.warning("%s gave no answer", self._name)
            return Call(error="Unhandled")
        except ClientError as refused:
            # A payload that is too large never will be smaller: that counts as a failure.
            too_large = refused.response["Error"]["Code"] == "RequestTooLargeException"
            return self._not_called(refused) if not too_large else Call(error="Unhandled")
        except BotoCoreError as unreachable:
            return self._not_called(unreachable)
        request_id = reply["ResponseMetadata"].get("RequestId", "")
        error = reply.get("FunctionError")
        if error is not None:
            self._errors.tell(self._name, body)
            return Call(request_id, error=error)
        return Call(request_id, answer=json.loads(body or b"null"))

    def _not_called(self, error: Exception) -> Call:
        logger.warning("%s can't be called: %s", self._name, error)
        return Call(reached=False)
