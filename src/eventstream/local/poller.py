"""The poller: Kinesis event source mappings with Lambda's semantics.

The emulator's own poller invokes per record, ignores partial failures and retries for ever; so
mappings are not deployed into it but handed over (`eventstream.local.handover`) and run here.
"""

from eventstream.local import handover, mappings
from eventstream.local.iterator_age import IteratorAge
from eventstream.local.mapping_poller import MappingPoller
from eventstream.local.session import LocalSession


class Poller:
    """Runs every event source mapping of a stack.

    Parameters
    ----------
    session
        Session for the emulator.
    stack_name
        The deployed stack.
    """

    def __init__(self, session: LocalSession, stack_name: str) -> None:
        found = handover.read(session.client("ssm"), stack_name, handover.MAPPINGS)
        parsed = [mappings.parse(stack_name, name, properties) for name, properties in found]
        self.mappings = [
            MappingPoller(session, stack_name, mapping) for mapping in parsed if mapping.enabled
        ]
        self._unread = {mapping.stream_name for mapping in parsed if not mapping.enabled}
        self._iterator_age = IteratorAge(session.client("cloudwatch"), self.mappings)

    def start(self) -> None:
        """Begin to read the streams."""
        for mapping in self.mappings:
            mapping.start()
        self._iterator_age.start()

    def drained(self, stream: str | None, since_s: float) -> bool:
        """Say whether everything in a stream was seen done at or after a time.

        Parameters
        ----------
        stream
            Name of the stream; ``None`` for all of them.
        since_s
            Seconds since 1970.
        """
        if stream in self._unread or (stream is None and self._unread):
            return False
        return all(
            each.caught_up_since(since_s)
            for each in self.mappings
            if stream in (None, each.mapping.stream_name)
        )

    def stop(self) -> None:
        """Stop: what is with a function is finished and checkpointed first."""
        for mapping in self.mappings:
            mapping.stop()
        self._iterator_age.stop()
