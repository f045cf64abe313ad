"""Two hosts that are processes on loopback."""

import json
import socket


def addresses(count=2):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return found


def tf_configs():
    """TF_CONFIG of each of two hosts."""
    cluster = {"worker": addresses()}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]
