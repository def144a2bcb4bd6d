"""What it costs to be watched: requests a second of the server's processor time, with the access log and traces on, and while
metrics are scraped, beside the same server without; and beside another build, if --baseline names one. Processor time, because
the differences are smaller than what a clock says twice of the same. Takes run.py's Bench."""

import contextlib
import os
import tempfile
import threading

import client
import peers

CONNECTIONS = (1, 16)
REQUESTS = {"GET": 16000, "assign_add": 1600}  # a turn
SCRAPE_SECONDS = 0.1  # a hundred times as often as Prometheus does
TRACE = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = "Content-Type: application/json"


def watched_over(bench):
    pair(bench, "access log, trace", ["--access-log"], ["-H", TRACE])
    pair(bench, "metrics each 0.1 s", [], [], scraped=True)
    if bench.options.baseline:
        pair(bench, "this build", [], [], baseline=bench.options.baseline)


def pair(bench, what, flags, headers, scraped=False, baseline=None):
    """Both servers are there at once and are asked turn about."""
    with peers.ours(bench.options, "commit", *flags) as (watched, http), \
            peers.ours(bench.options, "commit", binary=baseline) as (plain, other), tempfile.TemporaryDirectory() as folder:
        for each in (http, other):
            for index in range(max(CONNECTIONS)):
                peers.put(each, f"w{index}", "float32", [], bytes(4))
        body = os.path.join(folder, "body")
        with open(body, "w", encoding="ascii") as file:
            file.write('{"value": 1}')
        requests = {"GET": ["GET", f"{peers.MODEL}/variables/w@"],
                    "assign_add": ["POST", f"{peers.MODEL}/variables/w@:assign_add", "-f", body, "-H", JSON]}
        for connections in CONNECTIONS:
            for name, request in requests.items():
                def with_it(c=connections, n=name, r=tuple(request)):
                    with scraping(watched.port) if scraped else contextlib.nullcontext():
                        return per_processor_second(bench, watched, c, REQUESTS[n], (*r, *headers))

                def without(c=connections, n=name, r=tuple(request)):
                    return per_processor_second(bench, plain, c, REQUESTS[n], r)

                bench.row(f"{name}, {what}", connections, "commit", with_it, without, "other build" if baseline else "without")


def per_processor_second(bench, server, connections, count, request):
    began = processor_seconds(server)
    bench.load("http", server.port, connections, *request, "-n", str(count // connections), seconds=600)
    return count / (processor_seconds(server) - began)


def processor_seconds(server):
    """User and system, of all its threads: none of them ends meanwhile."""
    total_ns = 0
    for thread in os.listdir(f"/proc/{server.process.pid}/task"):
        with open(f"/proc/{server.process.pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total_ns += int(file.read().split()[0])
    return total_ns / 1e9


@contextlib.contextmanager
def scraping(port):
    done = threading.Event()

    def scrape():
        http = client.Client("127.0.0.1", port)
        while not done.wait(SCRAPE_SECONDS):
            http.request("GET", "/metrics", None, {"Accept-Encoding": "gzip"}).expect(200)
        http.close()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield
    finally:
        done.set()
        scraper.join()
