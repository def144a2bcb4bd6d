"""The shortest way from nothing to a value, and what every reply has."""


def test_a_variable_is_created_initialized_read_and_deleted(s):
    made = s.post("variables", {"name": "w", "initial_value": {"op": "ones", "shape": [2, 3]}}).expect(201)
    assert made.headers["location"].endswith(f"/v1/models/{s.model}/variables/w"), made
    assert made.json["name"] == "w"
    assert s.info("w")["initialized"] is False
    s.initialize()
    assert s.info("w")["initialized"] is True
    reply = s.get("variables/w:value").expect(200)
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.json["data"] == [[1, 1, 1], [1, 1, 1]]
    assert (reply.json["name"], reply.json["dtype"], reply.json["shape"]) == ("w", "float32", [2, 3])
    s.delete("variables/w").expect(200)
    s.refuses(404, "NOT_FOUND", "w", "GET", "variables/w")


def test_revisions_grow_by_one_with_every_write(s):
    first = s.create("a", {"op": "zeros", "shape": [3]}).revision
    revisions = [
        s.initialize().revision,
        s.post("variables/a:assign_add", {"value": [1, 2, 3]}).expect(200).revision,
        s.put("variables/a:value", [4.0, 5.0, 6.0]).expect(200).revision,
        s.save().revision,
        s.restore().revision,
        s.delete("checkpoints/c").expect(200).revision,
        s.delete("variables/a").expect(200).revision,
    ]
    assert revisions == list(range(first + 1, first + 8)), revisions


def test_reads_make_no_revision(s):
    s.make("w", [1, 2])
    s.save()
    with s.unchanged():
        for path in ("", "variables", "variables/w", "variables/w:value", "checkpoints", "checkpoints/c",
                     "checkpoints/c:value?tensor=w", "checkpoints/c:export?format=safetensors",
                     "values?names=w&format=json"):
            s.get(path).expect(200)
        for path in ("/healthz", "/readyz", "/v1", "/v1/ops", "/v1/models"):
            s.get(path).expect(200)


def test_metadata_of_a_variable_has_every_field(s):
    s.create("layer1/weights", {"op": "zeros", "shape": [2, 5]}, trainable=False)
    info = s.info("layer1/weights")
    for field in ("name", "dtype", "shape", "size", "bytes", "initialized", "revision", "version", "trainable",
                  "collections", "device", "initial_value", "created", "updated", "ops"):
        assert field in info, (field, info)
    assert (info["size"], info["bytes"], info["shape"], info["dtype"]) == (10, 40, [2, 5], "float32")
    assert info["trainable"] is False and info["version"] == 0
    assert info["initial_value"]["op"] == "zeros"
    # The ops that TensorFlow would have made.
    names = str(info["ops"])
    for op in ("layer1/weights", "layer1/weights/Assign", "layer1/weights/read"):
        assert op in names, names


def test_version_counts_changes_of_the_value(s):
    s.create("v", {"op": "zeros", "shape": []})
    seen = [s.info("v")["version"]]
    s.initialize()
    seen.append(s.info("v")["version"])
    for _ in range(3):
        s.post("variables/v:assign_add", {"value": 1.0}).expect(200)
        seen.append(s.info("v")["version"])
    assert seen == [seen[0], seen[0] + 1, seen[0] + 2, seen[0] + 3, seen[0] + 4], seen


def test_a_value_is_there_the_moment_its_write_was_answered_on_another_connection(s):
    other = s.another_client()
    s.create("n", {"op": "zeros", "shape": [], "dtype": "int64"})
    s.initialize()
    for n in range(1, 30):
        s.post("variables/n:assign_add", {"value": 1}).expect(200)
        assert other.request("GET", s.path("variables/n:value")).json["data"] == n
