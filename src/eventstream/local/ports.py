"""Loopback ports: take one, find a free one, say what is wrong with one."""

import socket

from eventstream.local.errors import PortTakenError

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a loopback port.

    Parameters
    ----------
    port
        The port; 0 for any that is free.

    Raises
    ------
    PortTakenError
        Another program has it, or it takes rights that this user hasn't.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port whose last connections are still timing out is free; one that is listened on isn't.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except PermissionError:
        listener.close()
        raise PortTakenError(
            f"port {port} is reserved for the system: choose one above 1023 with --port"
        ) from None
    except OSError:
        listener.close()
        raise PortTakenError(
            f"port {port} is taken by another program: stop that program, "
            f"or choose another port with --port"
        ) from None
    return listener


def is_free(port: int) -> bool:
    """Say whether a loopback port can be listened on."""
    try:
        listen(port).close()
    except PortTakenError:
        return False
    return True


def free_port(preferred: int | None = None) -> int:
    """Return the preferred port when it is free, else any free one."""
    if preferred is not None and is_free(preferred):
        return preferred
    with listen(0) as listener:
        port: int = listener.getsockname()[1]
    return port
