"""Start the HTTP server of one process, on a port that the worker processes share."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

import cherrypy
from cherrypy.process.servers import ServerAdapter

from app import create_app
from health import Health
from recommender import Recommender
from serving.http_server import HttpServer
from settings import OperatorError, Settings
from storage.impression_buffer import ImpressionBuffer
from system.listening_port import address_family, bind_error
from system.process_metrics import EachSecond, ProcessProbe
from web.server_probe import ServerProbe

QUEUE = 128  # connections that wait to be accepted

log = logging.getLogger("matinee")


class PortBusyError(OperatorError):
    """Another program listens where this one should."""


def refuse_busy_port(settings: Settings) -> None:
    """Raise `PortBusyError` if another program listens there, before anything is started or downloaded."""
    reason = bind_error(settings.host, settings.port)
    if reason is not None:
        raise _busy(settings, reason)


def serve(app: WSGIApplication, settings: Settings, first: bool = True) -> HttpServer:
    """Begin to answer what comes to the port, in threads, until CherryPy's engine exits; return the HTTP server.

    Raises `PortBusyError` if another program listens there; processes of ours may, unless this is the first of them.
    """
    cherrypy.config.update({"environment": "production", "engine.autoreload.on": False, "log.screen": False})
    cherrypy.tree.graft(app, "/")
    cherrypy.server.unsubscribe()  # CherryPy's own server
    server = HttpServer(cherrypy.tree, _listen(settings, first), settings.threads)
    ServerAdapter(cherrypy.engine, server).subscribe()
    cherrypy.engine.start()
    log.info("listening on http://%s", address(settings))
    return server


@contextmanager
def answering(settings: Settings, recommender: Recommender, health: Health, first: bool = True) -> Iterator[None]:
    """Answer requests until the block ends; then accept no more, and finish the requests that are under way.

    Raises `PortBusyError` as `serve` does.
    """
    app = create_app(recommender, health, settings)
    server, registry = serve(app, settings, first), app.extensions["metrics"].registry
    EachSecond(ProcessProbe(registry, "server"), ServerProbe(registry, server.workers, health, recommender)).start()
    with _storing_impressions(app.extensions["impressions"]):
        yield
        cherrypy.engine.exit()


@contextmanager
def _storing_impressions(buffer: ImpressionBuffer | None) -> Iterator[None]:
    """Store the impressions of this process each second, in a thread, and the last ones at the end."""
    if buffer is None:
        yield
        return
    each_second = EachSecond(buffer.store)
    each_second.start()
    try:
        yield
    finally:
        each_second.stop()
        buffer.store()  # what PostgreSQL could not take before
        buffer.store()  # and what came meanwhile


def address(settings: Settings) -> str:
    """Return host and port as they stand in a URL."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _listen(settings: Settings, first: bool) -> socket.socket:
    """Return a socket that listens on the port.

    Each process has a queue of connections of its own, and the kernel deals them out. With one queue for all, the
    process that is awake takes a whole burst: of 16 connections that came at once, 12 to 16 went to one of two.
    """
    listening = socket.socket(address_family(settings.host), socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not first:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((settings.host, settings.port))
        listen(listening, QUEUE, shared=first and settings.processes > 1)
    except OSError as error:
        raise _busy(settings, error.strerror or str(error)) from error
    return listening


def listen(bound: socket.socket, queue: int, shared: bool) -> None:
    """Begin to listen; where it is `shared`, processes of ours may join afterwards.

    They may not before: of two services that start at once both may have the port bound, and it is listening that
    fails for the second, unless both share.
    """
    bound.listen(queue)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _busy(settings: Settings, reason: str) -> PortBusyError:
    return PortBusyError(
        f"Cannot listen on {address(settings)}: {reason}. Stop what listens there or set MATINEE_PORT to another port."
    )
