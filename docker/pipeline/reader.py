"""The reader: serves the newest checkpoint. GET /?x=0.3&y=-0.2 tells the arm; a new checkpoint takes over while it runs."""

import http.server
import json
import os
import threading
import urllib.parse

import numpy

from common import MODEL, arrays, connect, tensorkeep, wait_for_model
import net


class Served:
    """The weights in use; a request sees those of one checkpoint."""

    def __init__(self):
        self.checkpoint, self.weights = None, None

    def follow(self):
        """Takes what is there, and then whatever is saved."""
        client, watcher = connect(), connect()
        since = wait_for_model(client)
        self.load(client)
        for change in watcher.changes(MODEL, since):
            if change["event"] in ("checkpoint.saved", "gap"):
                self.load(client)

    def load(self, client):
        try:
            name = client.call("GET", f"/models/{MODEL}/checkpoints:latest")["name"]
            weights = arrays(client, f"/models/{MODEL}/checkpoints/{name}:export?format=npz")
        except tensorkeep.Refused as no:
            if no.status != 404:  # none yet, or one that is gone already: the next one is told
                raise
            return
        self.checkpoint, self.weights = name, weights
        print(f"serves {name}", flush=True)


def follow_or_end(served):
    """Better no answer than one of long ago: whoever started this starts it again."""
    try:
        served.follow()
    finally:
        os._exit(1)


def handler_of(served):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            status, answer = 200, {}
            query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
            checkpoint, weights = served.checkpoint, served.weights
            try:
                where = numpy.array([[float(query["x"]), float(query["y"])]], "<f4")
            except (KeyError, ValueError):
                status, answer = 400, {"error": "say where: /?x=0.3&y=-0.2"}
            if status == 200 and weights is None:
                status, answer = 503, {"error": "there is no checkpoint yet"}
            if status == 200:
                answer = {"arm": int(net.scores(weights, where)[0].argmax()), "checkpoint": checkpoint}
            body = json.dumps(answer).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    served = Served()
    threading.Thread(target=follow_or_end, args=(served,), daemon=True).start()
    server = http.server.ThreadingHTTPServer((os.environ.get("BIND", "127.0.0.1"), int(os.environ.get("PORT", "8000"))),
                                             handler_of(served))
    print(f"listening on {server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
