"""A way to PostgreSQL on which the answer to a commit is lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def losing_commit_after(statement: bytes, port: int = 5432) -> Iterator[int]:
    """Pass connections on to PostgreSQL, and lose one answer: what it answers to a commit.

    Args:
        statement: once it was sent, the answer to the next commit of that connection is lost, and
            the connection with it.
        port: PostgreSQL's.

    Yields:
        the port to connect to.
    """
    lost = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server, suppress(OSError):
            loses = threading.Event()
            back = threading.Thread(target=answer, args=(server, client, loses), daemon=True)
            back.start()
            has_stated = False
            while piece := client.recv(65_536):
                has_stated = has_stated or statement in piece
                if has_stated and b"COMMIT" in piece and not lost.is_set():
                    lost.set()
                    loses.set()
                server.sendall(piece)

    def answer(server: socket.socket, client: socket.socket, loses: threading.Event) -> None:
        with suppress(OSError):
            while piece := server.recv(65_536):
                if loses.is_set():  # It was done, as this is the answer.
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(piece)
            client.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
    assert lost.is_set()
