"""A port of this machine: how it is named to the system, and whether it is free."""

import socket


def address_family(host: str) -> socket.AddressFamily:
    """The kind of address that this one is."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bind_error(host: str, port: int) -> str | None:
    """Why nobody could listen there now, in the system's words; None if somebody could."""
    with socket.socket(address_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
