"""A list walked page by page while things come and go: what stays is told once, and nothing twice."""

import threading
import urllib.parse

STAYING = [f"s{i:02}" for i in range(24)]
PASSING = ["a", *(f"s{i:02}p" for i in range(0, 24, 2)), "z"]  # before, between and behind those


def walk(s, path, field, page_size):
    """The entries of all pages, and how many revisions those pages were of."""
    entries, revisions, token = [], set(), ""
    while not revisions or token:
        page = s.get(path + "?" + urllib.parse.urlencode({"page_size": page_size, "page_token": token})).expect(200).json
        entries += page[field]
        revisions.add(page["revision"])
        token = page["next_page_token"]
    return entries, len(revisions)


def among_writers(s, make, where, walked):
    """walked(page_size) again and again while two clients make and delete what passes, until lists have changed between pages often
    enough. make(name): a request; where(name): its path."""
    stop, failed = threading.Event(), []

    def come_and_go(names):
        mine = s.another_client()
        try:
            while not stop.is_set():
                for name in names:
                    mine.request(*make(name)).expect(201)
                for name in names:
                    mine.request("DELETE", where(name)).expect(200)
        except Exception as error:
            failed.append(error)

    for name in STAYING:
        s.request(*make(name)).expect(201)
    threads = [threading.Thread(target=come_and_go, args=(PASSING[i::2],)) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        changed = walks = 0
        while changed < 5 and not failed:
            changed += walked(1 + walks % 5) > 1
            walks += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


def each_once(s, kind, method, body, key="name"):
    """method: PUT with the name in the path, or POST with it in the body."""
    def where(name):
        return s.path(f"{kind}/{name}")

    def make(name):
        return (method, where(name), body) if method == "PUT" else (method, s.path(kind), {"name": name, **body})

    def walked(page_size):
        entries, revisions = walk(s, s.path(kind), kind, page_size)
        names = [entry[key] for entry in entries]
        assert sorted(set(names) - set(PASSING)) == STAYING, names
        assert len({(entry[key], entry["created"]) for entry in entries}) == len(entries), names
        return revisions

    among_writers(s, make, where, walked)


def test_variables(s):
    each_once(s, "variables", "POST", {"initial_value": 0.0})


def test_their_graph(s):
    def walked(page_size):
        nodes, revisions = walk(s, "graph", "nodes", page_size)
        names = [node["name"] for node in nodes if node["name"] in (*STAYING, *PASSING)]
        assert sorted(name for name in names if name in STAYING) == STAYING, names
        return revisions

    among_writers(s, lambda name: ("POST", s.path("variables"), {"name": name, "initial_value": 0.0}),
                  lambda name: s.path(f"variables/{name}"), walked)


def test_checkpoints(s):
    s.make("w", [1.0])
    each_once(s, "checkpoints", "POST", {})


def test_what_variables_have_beside_them(s):
    s.make("w", [1.0])
    each_once(s, "savers", "PUT", {"variables": ["w"]})
    each_once(s, "optimizers", "PUT", {"type": "gradient_descent", "learning_rate": 0.1}, "optimizer")
    each_once(s, "moving_averages", "PUT", {"decay": 0.5}, "moving_averages")
    each_once(s, "accumulators", "PUT", {"dtype": "float32", "shape": [1]})


def test_models(s):
    def where(name):
        return f"/v1/models/{s.model}.{name}"

    def walked(page_size):
        entries, revisions = walk(s, "/v1/models", "models", page_size)
        names = [entry["name"].split(".")[1] for entry in entries if entry["name"].startswith(s.model + ".")]
        assert [name for name in names if name not in PASSING] == STAYING and len(set(names)) == len(names), names
        return revisions

    among_writers(s, lambda name: ("PUT", where(name), {}), where, walked)
    for name in STAYING:
        s.delete(where(name)).expect(200)
