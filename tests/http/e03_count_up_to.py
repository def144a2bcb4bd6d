"""count_up_to: a counter that gives every number once and stops."""

import threading


def count(s, name, limit, headers=None):
    return s.post(f"variables/{name}:count_up_to", {"limit": limit}, headers)


def test_it_counts_to_the_limit_and_stays_there(s):
    for dtype in ("int32", "int64"):
        s.make(dtype, 0, dtype)
        for before in range(3):
            assert count(s, dtype, 3).expect(200).json["value"] == before
            assert s.value(dtype) == before + 1
        for _ in range(2):
            s.refuses(400, "OUT_OF_RANGE", ("Reached limit of 3", dtype), "POST", f"variables/{dtype}:count_up_to",
                      {"limit": 3})
            assert s.value(dtype) == 3
        assert count(s, dtype, 4).expect(200).json["value"] == 3


def test_the_reply_is_that_of_any_update(s):
    s.make("n", -7, "int64")
    first, second = count(s, "n", 0).json, count(s, "n", 0).json
    assert {key: second[key] for key in ("name", "dtype", "shape", "value")} == {
        "name": "n", "dtype": "int64", "shape": [], "value": -6}
    assert second["revision"] == first["revision"] + 1 and second["version"] == first["version"] + 1
    assert s.post("variables/n:0:count_up_to", {"limit": 0}).expect(200).json["value"] == -5


def test_integers_are_exact_and_never_go_round(s):
    s.make("high", 2 ** 63 - 2, "int64")
    assert count(s, "high", 2 ** 63 - 1).expect(200).json["value"] == 2 ** 63 - 2
    s.refuses(400, "OUT_OF_RANGE", "Reached limit of 9223372036854775807", "POST", "variables/high:count_up_to",
              {"limit": 2 ** 63 - 1})
    s.make("narrow", 2 ** 31 - 2, "int32")
    assert count(s, "narrow", 2 ** 40).expect(200).json["value"] == 2 ** 31 - 2
    s.refuses(400, "OUT_OF_RANGE", ("narrow", "int32"), "POST", "variables/narrow:count_up_to", {"limit": 2 ** 40})
    assert s.value("narrow") == 2 ** 31 - 1


def test_only_initialized_integer_scalars_count(s):
    s.make("v", [0, 0], "int32")
    s.refuses(400, "INVALID_ARGUMENT", ("v", "input is not a scalar: [2]"), "POST", "variables/v:count_up_to", {"limit": 3})
    for dtype in ("float32", "int16", "uint64", "bool"):
        s.make(dtype, 0, dtype)
        s.refuses(400, "INVALID_ARGUMENT", (f"'{dtype}'", f"variable is {dtype}"), "POST",
                  f"variables/{dtype}:count_up_to", {"limit": 3})
    s.create("unset", dtype="int32", shape=[])
    s.refuses(409, "FAILED_PRECONDITION", "unset", "POST", "variables/unset:count_up_to", {"limit": 3})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", "variables/ghost:count_up_to", {"limit": 3})


def test_bodies_are_checked(s):
    s.make("n", 0, "int32")
    for body, words in (({}, "limit"), ({"limit": None}, "limit"), ({"limit": 1.5}, "limit"), ({"limit": "3"}, "limit"),
                        ({"limit": True}, "limit"), ({"limit": 2 ** 63}, "limit"), ({"limit": [3]}, "limit"),
                        ({"limit": 3, "by": 2}, "by"), ([3], "object")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables/n:count_up_to", body)
    assert s.value("n") == 0
    assert s.get("variables/n:count_up_to").status == 405


def test_a_condition_that_fails_changes_nothing(s):
    s.make("n", 0, "int32")
    tag = s.get("variables/n").etag
    count(s, "n", 3, {"If-Match": tag}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "n", "POST", "variables/n:count_up_to", {"limit": 3}, {"If-Match": tag})
    assert s.value("n") == 1


def test_many_clients_get_every_number_once(s):
    s.make("n", 0, "int64")
    limit, given, wrong = 120, [], []

    def work(client):
        while True:
            reply = client.request("POST", s.path("variables/n:count_up_to"), {"limit": limit})
            if reply.status != 200:
                if reply.code != "OUT_OF_RANGE":
                    wrong.append(str(reply))
                return
            given.append(reply.json["value"])

    threads = [threading.Thread(target=work, args=(s.another_client(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert sorted(given) == list(range(limit)) and s.value("n") == limit


def test_a_count_survives_a_kill(s):
    s.make("n", 0, "int64")
    for _ in range(5):
        count(s, "n", 9).expect(200)
    s.kill9()
    s.restart()
    assert count(s, "n", 9).expect(200).json["value"] == 5
