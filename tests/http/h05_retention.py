"""Which checkpoints of savers stay: numbers, hours, lists set by hand, pins; in runs, over kills, and when many save at once."""

import threading
import time

import formats
from saving import checkpoints, fill, is_whole, last, latest, save, saver

np = formats.np


# --- which stay ----------------------------------------------------------------------------------

def test_only_the_last_few_stay(s):
    fill(s)
    saver(s, max_to_keep=2)
    s.save("mine")
    for step in range(5):
        told = save(s, "c", global_step=step).json
        assert told["removed"] == ([f"c-{step - 2}"] if step > 1 else []), told
    assert last(s) == ["c-3", "c-4"] and latest(s) == "c-4"
    assert checkpoints(s) == ["c-3", "c-4", "mine"]
    assert s.get("").json["checkpoints"] == 3
    # Saved again, it is the newest.
    save(s, "c", global_step=3)
    assert last(s) == ["c-4", "c-3"] and latest(s) == "c-3"
    assert save(s, "c", global_step=9).json["removed"] == ["c-4"]
    is_whole(s)


def test_five_by_default_and_all_where_none_is_said(s):
    fill(s)
    for name, more in (("five", {}), ("all", {"max_to_keep": 0}), ("none", {"max_to_keep": None})):
        saver(s, name, **more)
        for step in range(7):
            save(s, name, name, global_step=step)
    assert last(s, "five") == [f"five-{step}" for step in range(2, 7)]
    for name in ("all", "none"):
        about = s.get(f"savers/{name}").json
        assert about["last_checkpoints"] == [] and about["latest"] == f"{name}-6"
        assert about["checkpoint_state"] == {"model_checkpoint_path": f"{name}-6", "all_model_checkpoint_paths": [f"{name}-6"]}
        assert len([c for c in checkpoints(s) if c.startswith(name)]) == 7
        s.delete(f"checkpoints/{name}-6").expect(200)
        assert latest(s, name) == f"{name}-5"


def test_hours_keep_what_is_pushed_out(s):
    """0 hours: whatever was saved after the building stays. How hours pass, unit tests show."""
    fill(s)
    saver(s, max_to_keep=1, keep_checkpoint_every_n_hours=0)
    built = time.time_ns()
    while time.time_ns() < built + 2_000_000:
        pass
    save(s, "a")
    told = save(s, "b").json
    assert told["kept"] == ["a"] and told["removed"] == [] and last(s) == ["b"]
    assert checkpoints(s) == ["a", "b"]
    saver(s, max_to_keep=1)
    assert save(s, "c").json["removed"] == ["b"]


def test_what_is_deleted_or_replaced_by_hand_is_out_of_the_list(s):
    fill(s)
    saver(s, max_to_keep=3)
    for name in "abc":
        save(s, name)
    s.delete("checkpoints/b").expect(200)
    assert last(s) == ["a", "c"]
    s.delete("checkpoints/c").expect(200)
    assert last(s) == ["a"] and latest(s) == "a" and s.get("savers/s").json["latest"] == "a"
    s.save("a", overwrite=True)
    assert last(s) == [] and s.get("savers/s").json["latest"] is None
    for name in "defg":
        save(s, name)
    assert checkpoints(s) == ["a", "e", "f", "g"]  # a was saved without it
    saver(s, "t", max_to_keep=1)
    save(s, "f", "t")
    assert last(s) == ["e", "g"] and last(s, "t") == ["f"] and s.get("checkpoints/f").json["saver"] == "t"
    is_whole(s)


def test_a_smaller_number_removes_at_once(s):
    fill(s)
    saver(s, max_to_keep=5)
    for name in "abcde":
        save(s, name)
    told = s.patch("savers/s", {"max_to_keep": 2}).expect(200).json
    assert told["removed"] == ["a", "b", "c"] and told["last_checkpoints"] == ["d", "e"]
    assert checkpoints(s) == ["d", "e"]
    # All are kept: none is in the list, none is removed, now or later.
    told = s.patch("savers/s", {"max_to_keep": 0}).expect(200).json
    assert told["removed"] == [] and told["last_checkpoints"] == [] and told["latest"] == "e"
    s.patch("savers/s", {"max_to_keep": 1}).expect(200)
    save(s, "f")
    save(s, "g")
    assert checkpoints(s) == ["d", "e", "g"] and last(s) == ["g"]
    is_whole(s)


def test_the_list_set_by_hand(s):
    fill(s)
    s.save("a")
    s.save("b")
    saver(s, max_to_keep=3)
    told = s.patch("savers/s", {"last_checkpoints": ["b", "a"]}).expect(200).json
    assert told["last_checkpoints"] == ["b", "a"] and told["latest"] == "a"
    assert s.get("checkpoints/a").json["saver"] == "s"
    save(s, "c")
    assert save(s, "d").json["removed"] == ["b"]
    s.refuses(404, "NOT_FOUND", "ghost", "PATCH", "savers/s", {"last_checkpoints": ["a", "ghost"]})
    s.refuses(400, "INVALID_ARGUMENT", ("a", "twice"), "PATCH", "savers/s", {"last_checkpoints": ["a", "c", "a"]})
    s.refuses(400, "INVALID_ARGUMENT", "..", "PATCH", "savers/s", {"last_checkpoints": [".."]})
    assert last(s) == ["a", "c", "d"]
    told = s.patch("savers/s", {"recover_last_checkpoints": ["d", "ghost", "a"]}).expect(200).json
    assert told["last_checkpoints"] == ["d", "a"]
    # A new saver takes over what an old one has left.
    s.delete("savers/s").expect(200)
    saver(s, max_to_keep=2, recover_last_checkpoints=["c", "d", "ghost"])
    assert last(s) == ["c", "d"] and s.get("checkpoints/c").json["saver"] == "s"
    assert save(s, "e").json["removed"] == ["c"]
    s.delete("checkpoints/d").expect(200)
    assert last(s) == ["e"]
    is_whole(s)


def test_lists_that_name_one_checkpoint_twice(s):
    fill(s)
    saver(s, "s", max_to_keep=1)
    save(s, "a")
    saver(s, "t", max_to_keep=2, last_checkpoints=["a"])
    assert s.get("checkpoints/a").json["saver"] == "s"
    save(s, "b")
    assert last(s, "t") == ["a"] and s.get("savers/t").json["latest"] is None
    save(s, "a", "s")  # another: not the one that t has listed
    save(s, "c", "t")
    assert save(s, "d", "t").json["kept"] == ["a"]
    assert checkpoints(s) == ["a", "c", "d"]
    is_whole(s)


def test_pinned_ones_stay(s):
    fill(s)
    saver(s, max_to_keep=1)
    save(s, "a")
    told = s.patch("checkpoints/a", {"pinned": True, "labels": {"best": "yes", "día": "ß"}}).expect(200).json
    assert told["pinned"] is True and told["labels"] == {"best": "yes", "día": "ß"}
    told = save(s, "b").json
    assert told["removed"] == [] and told["kept"] == ["a"] and last(s) == ["b"]
    for method, path, body in (("DELETE", "checkpoints/a", None), ("POST", "checkpoints", {"name": "a", "overwrite": True}),
                               ("POST", "savers/s:save", {"name": "a"}),
                               ("POST", ":run", {"ops": [{"op": "save", "saver": "s", "name": "a"}]}),
                               ("PUT", "checkpoints/a?overwrite=true", s.get("checkpoints/b:export?format=safetensors").body)):
        s.refuses(409, "FAILED_PRECONDITION", ("pinned", "PATCH", "checkpoints/a"), method, path, body)
    assert s.get("checkpoints/a").json["labels"]["best"] == "yes"
    s.patch("checkpoints/a", {"pinned": False}).expect(200)
    assert s.get("checkpoints/a").json["labels"] == {"best": "yes", "día": "ß"}
    s.delete("checkpoints/a").expect(200)
    save(s, "c")
    s.patch("checkpoints/c", {"pinned": True}).expect(200)
    s.delete("").expect(200)  # with its model it goes
    is_whole(s)


def test_changing_what_is_said_about_a_checkpoint(s):
    fill(s)
    s.save("c")
    first = s.get("checkpoints/c")
    assert first.json["pinned"] is False and first.json["labels"] == {}
    told = s.patch("checkpoints/c", {"labels": {"a": "1"}}, {"If-Match": first.etag}).expect(200).json
    assert told["labels"] == {"a": "1"} and told["revision"] > told["created_revision"] == first.json["revision"]
    s.refuses(412, "PRECONDITION_FAILED", "c", "PATCH", "checkpoints/c", {"pinned": True}, {"If-Match": first.etag})
    s.refuses(412, "PRECONDITION_FAILED", "c", "DELETE", "checkpoints/c", None, {"If-Match": first.etag})
    export = s.get("checkpoints/c:export?format=safetensors").etag
    s.patch("checkpoints/c", {"labels": {}}, {"If-Match": s.get("checkpoints/c").etag}).expect(200)
    assert s.get("checkpoints/c:export?format=safetensors").etag == export  # the file is the same
    assert s.get("checkpoints?page_size=5").json["checkpoints"][0]["labels"] == {}
    for body, word in (({"pinned": 1}, "pinned"), ({"labels": {"a": 1}}, "labels"), ({"labels": ["a"]}, "labels"), ({"pined": True}, "pinned"),
                       ({"labels": {str(i): "x" for i in range(65)}}, "64"), ({"labels": {"x": 5000 * "y"}}, "labels")):
        s.refuses(400, "INVALID_ARGUMENT", word, "PATCH", "checkpoints/c", body)
    s.refuses(404, "NOT_FOUND", "ghost", "PATCH", "checkpoints/ghost", {"pinned": True})
    assert s.save("c", overwrite=True).json["labels"] == {}


# --- in runs -------------------------------------------------------------------------------------

def test_runs_save_through_savers(s):
    fill(s)
    saver(s, "s", max_to_keep=2)
    saver(s, "t", variables={"x": "v1"}, max_to_keep=1)
    ops = []
    for step in range(4):
        ops += [{"op": "assign", "variable": "v1", "value": [step, step]}, {"op": "save", "saver": "s", "name": "s", "global_step": step},
                {"op": "save", "saver": "t", "name": "t", "global_step": step}]
    results = s.post(":run", {"ops": ops}).expect(200).json["results"]
    assert [r["removed"] for r in results if r.get("saver") == "s"] == [[], [], ["s-0"], ["s-1"]]
    assert [r["removed"] for r in results if r.get("saver") == "t"] == [[], ["t-0"], ["t-1"], ["t-2"]]
    assert checkpoints(s) == ["s-2", "s-3", "t-3"] and last(s) == ["s-2", "s-3"] and last(s, "t") == ["t-3"]
    assert s.get("checkpoints/s-2:value?tensor=v1").json["data"] == [2, 2]
    assert s.get("checkpoints/t-3:value?tensor=x").json["data"] == [3, 3]
    is_whole(s)


def test_what_a_run_saves_and_removes_itself(s):
    """Values that only checkpoints of the run have held, and others that go on."""
    s.make("v", [0] * 400_000)
    s.make("w", [0] * 10)
    saver(s, max_to_keep=1)
    ops = [{"op": "assign", "variable": "v", "value": {"op": "fill", "dims": [400_000], "value": 1.5}},
           {"op": "save", "saver": "s", "name": "a"},
           {"op": "assign_add", "variable": "w", "value": [1] * 10},
           {"op": "save", "saver": "s", "name": "b"},
           {"op": "scatter_update", "variable": "v", "indices": [3], "updates": [7.0]},
           {"op": "save", "saver": "s", "name": "c"},
           {"op": "save", "saver": "s", "name": "a"},
           {"op": "save", "name": "mine"},
           {"op": "save", "saver": "s", "name": "d"}]
    for _ in range(3):
        results = s.post(":run", {"ops": ops}).expect(200).json["results"]
        assert [r["removed"] for r in results if r.get("saver")][1:] == [["a"], ["b"], ["c"], ["a"]]
        assert checkpoints(s) == ["d", "mine"] and last(s) == ["d"]
        for name in ("d", "mine"):
            assert s.get(f"checkpoints/{name}:value?tensor=v&slice=2:5").json["data"] == [1.5, 7, 1.5]
        assert s.value("v", slice="2:5") == [1.5, 7, 1.5]
        s.delete("checkpoints/mine").expect(200)
    is_whole(s)


def test_a_run_that_fails_or_is_a_rehearsal_removes_nothing(s):
    fill(s)
    saver(s, max_to_keep=1)
    save(s, "a")
    ops = [{"op": "save", "saver": "s", "name": "b"}]
    with s.unchanged():
        told = s.post(":run", {"ops": ops, "dry_run": True}).expect(200).json["results"][0]
        assert told["name"] == "b" and told["saver"] == "s" and "removed" not in told
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", ":run", {"ops": ops + [{"op": "assign", "variable": "v1", "value": [1]}]})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", ":run", {"ops": ops + [{"op": "save", "saver": "ghost", "name": "c"}]})
    assert checkpoints(s) == ["a"] and last(s) == ["a"]


def test_longest_names(s):
    fill(s)
    saver(s, 255 * "s", max_to_keep=1)
    for last_letter in "ab":
        save(s, 254 * "c" + last_letter, 255 * "s")
    about = s.get("savers/" + 255 * "s").expect(200)
    assert about.json["last_checkpoints"] == [254 * "c" + "b"]
    s.get("savers/" + 255 * "s", {"If-None-Match": about.etag}).expect(304)
    s.refuses(400, "INVALID_ARGUMENT", "255", "POST", f"savers/{255 * 's'}:save", {"name": 254 * "c", "global_step": 1})
    s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "savers/" + 256 * "s", {})


def test_very_many_variables(s):
    """More than a commit takes: such a save is made ahead of it."""
    count = 2500
    tensors = {f"layer{i:04}/w": ("float32", [2], np.full(2, i, "<f4").tobytes()) for i in range(count)}
    s.put_ok("values?create=true", formats.safetensors_write(tensors), {"Content-Type": "application/vnd.safetensors"})
    saver(s, max_to_keep=1)
    save(s, "a").expect(201)
    s.put("variables/layer2499/w:value", [7, 7]).expect(200)
    told = save(s, "b").expect(201).json
    assert told["tensors"] == count and told["removed"] == ["a"] and checkpoints(s) == ["b"]
    s.put("variables/layer2499/w:value", [0, 0]).expect(200)
    assert len(s.post("savers/s:restore", {"checkpoint": "latest"}).expect(200).json["restored"]) == count
    assert s.value("layer2499/w") == [7, 7]
    is_whole(s)


# --- over time -----------------------------------------------------------------------------------

def test_lists_are_there_after_stops_and_kills(s):
    fill(s)
    saver(s, max_to_keep=3, pad_step_number=True, variables={"x": "v1"})
    for step in range(4):
        save(s, "c", global_step=step)
    s.patch("checkpoints/c-00000001", {"pinned": True}).expect(200)
    about = s.get("savers/s").json
    for end in (s.stop, s.kill9):
        end()
        s.server.start()
        s.connect()
        assert s.get("savers/s").json == about
    assert save(s, "c", global_step=9).json["kept"] == ["c-00000001"]
    assert last(s) == ["c-00000002", "c-00000003", "c-00000009"]
    is_whole(s)


def test_a_kill_in_the_middle_leaves_no_half_of_a_save(s):
    fill(s)
    saver(s, max_to_keep=2)
    for _ in range(3):
        stop, wrong = threading.Event(), []

        def work(number, client, stop=stop, wrong=wrong):
            client.again = False
            step = 0
            while not stop.is_set():
                try:
                    reply = client.request("POST", s.path("savers/s:save"), {"name": f"w{number}", "global_step": step})
                except OSError:
                    return
                if reply.status not in (200, 201):
                    wrong.append(str(reply))
                step += 1

        threads = [threading.Thread(target=work, args=(i, s.another_client())) for i in range(3)]
        for thread in threads:
            thread.start()
        stop.wait(0.15 * s.patience)
        s.server.kill9()
        stop.set()
        for thread in threads:
            thread.join()
        s.disconnect()
        s.server.start()
        s.connect()
        assert not wrong, wrong[0]
        assert checkpoints(s) == sorted(last(s)) and len(last(s)) <= 2
        is_whole(s)


def test_many_save_at_once_through_one(s):
    fill(s)
    saver(s, max_to_keep=3)
    told, seen, done = [], [], threading.Event()

    def work(number, client):
        for step in range(15):
            reply = client.request("POST", s.path("savers/s:save"), {"name": f"w{number}", "global_step": step})
            told.append(reply)

    def watch(client):
        while not done.is_set():
            seen.append(client.request("GET", s.path("checkpoints")).json["checkpoints"])

    threads = [threading.Thread(target=work, args=(i, s.another_client())) for i in range(5)]
    watcher = threading.Thread(target=watch, args=(s.another_client(),))
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert all(reply.status == 201 for reply in told), [str(r) for r in told if r.status != 201][0]
    assert seen and max(len(each) for each in seen) <= 3
    removed = [name for reply in told for name in reply.json["removed"]]
    assert len(removed) == len(set(removed)) == 72
    assert checkpoints(s) == sorted(last(s)) and len(last(s)) == 3
    newest = max(told, key=lambda reply: reply.json["revision"]).json["name"]
    assert latest(s) == newest == last(s)[-1]
    is_whole(s)


def test_a_save_told_again_saves_once(s):
    fill(s)
    saver(s, max_to_keep=2)
    for step in range(3):
        for _ in range(2):
            reply = s.post("savers/s:save", {"name": "c", "global_step": step}, {"Idempotency-Key": f"k{step}"})
            assert reply.expect(201).json["removed"] == (["c-0"] if step == 2 else [])
    assert last(s) == ["c-1", "c-2"]
