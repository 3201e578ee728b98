"""What can go wrong on the laptop; every message says what to do about it.

::

    LocalRuntimeError
    ├── TemplateError        the template asks for what the local runtime doesn't know
    ├── DeployError          the emulator refused the stack
    ├── EmulatorError        the emulator doesn't start, answer or stop
    ├── AlreadyRunningError  another process runs on this state folder
    └── PortTakenError       another program listens on the port
"""


class LocalRuntimeError(Exception):
    """The local runtime can't do what was asked."""

    code = "local_runtime"


class TemplateError(LocalRuntimeError):
    """The template, or a parameter's value, asks for what the local runtime doesn't know."""

    code = "template"


class DeployError(LocalRuntimeError):
    """The emulator refused the stack."""

    code = "deploy"


class EmulatorError(LocalRuntimeError):
    """The emulator doesn't start, answer or stop."""

    code = "emulator"


class AlreadyRunningError(LocalRuntimeError):
    """Another process runs the pipeline on this state folder."""

    code = "already_running"


class PortTakenError(LocalRuntimeError):
    """Another program listens on the port."""

    code = "port_taken"
