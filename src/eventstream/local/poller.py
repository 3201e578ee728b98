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
        self._iterator_age = IteratorAge(session.client("cloudwatch"), self.mappings)

    def start(self) -> None:
        """Begin to read the streams."""
        for mapping in self.mappings:
            mapping.start()
        self._iterator_age.start()

    def stop(self) -> None:
        """Stop: what is with a function is finished and checkpointed first."""
        for mapping in self.mappings:
            mapping.stop()
        self._iterator_age.stop()
