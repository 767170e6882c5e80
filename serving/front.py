"""What listens: the HTTP server of one process, on a port that other processes of ours may share."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import cherrypy
from cheroot.wsgi import Server
from flask import Flask

from settings import Settings
from system.listening_port import address_family, bind_error
from web.edge import harden

log = logging.getLogger("matinee")


class PortBusyError(RuntimeError):
    """Another program listens where this one should."""


def refuse_busy_port(settings: Settings) -> None:
    """Raises `PortBusyError` if somebody listens where we should: before anything is started or downloaded."""
    reason = bind_error(settings.host, settings.port)
    if reason is not None:
        raise _busy(settings, reason)


def serve(app: Flask, settings: Settings, first: bool = True) -> Server:
    """Begin to answer what comes to the port, in threads; returns the HTTP server, which runs until `stop_serving`.

    Raises `PortBusyError` if anybody listens there, but for processes of ours where this is not the first of them.
    """
    cherrypy.tree.graft(app, "/")
    cherrypy.config.update(_cherrypy_settings(settings))
    server: Server = cherrypy.server.httpserver_from_self()[0]
    harden(server)  # before it starts: each connection is to be of our class
    _take_port(server, settings, first)
    cherrypy.server.httpserver = server
    cherrypy.server.bind_addr = None  # else it would make sure that nobody listens there before it starts
    cherrypy.engine.start()
    log.info("listening on http://%s:%d", settings.host, settings.port)
    return server


def stop_serving() -> None:
    """Accept no more and finish the requests that are under way."""
    cherrypy.engine.exit()


def _take_port(server: Server, settings: Settings, first: bool) -> None:
    """Listen before CherryPy starts, which would end the process by itself if the port were taken.

    Each process has a queue of connections of its own, and the kernel deals them out. With one queue for all, the
    process that is awake takes a whole burst: of 16 connections that came at once, 12 to 16 went to one of two.
    """
    server.reuse_port = not first
    with _telling_if_busy(settings):
        taken = server.bind(address_family(settings.host), socket.SOCK_STREAM)
        listen(taken, server.request_queue_size, shared=first and settings.processes > 1)

    def keep(*kind: int) -> None:
        server.socket = taken

    server.bind = keep  # type: ignore[method-assign, assignment] # at its start: the port is ours already


def listen(bound: socket.socket, queue: int, shared: bool) -> None:
    """Begin to listen; where it is `shared`, processes of ours may join afterwards.

    They may not before: of two services that start at once both may have the port bound, and it is listening that
    tells the second of the first, unless both would share.
    """
    bound.listen(queue)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


@contextmanager
def _telling_if_busy(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _busy(settings, error.strerror or str(error)) from error


def _busy(settings: Settings, reason: str) -> PortBusyError:
    return PortBusyError(
        f"Cannot listen on {settings.host}:{settings.port}: {reason}. "
        "Stop what listens there or set MATINEE_PORT to another port."
    )


def _cherrypy_settings(settings: Settings) -> dict[str, object]:
    return {
        "environment": "production",
        "engine.autoreload.on": False,
        "log.screen": False,
        "server.socket_host": settings.host,
        "server.socket_port": settings.port,
        "server.thread_pool": settings.threads,
        "server.socket_queue_size": 128,
        "server.max_request_body_size": 0,  # the edge has the limits, and refuses with the usual body
        "server.max_request_header_size": 0,
        "server.shutdown_timeout": 3,
    }
