"""Gradients as tensors: beside the JSON of apply_gradients, or alone, named like their variables."""

import os
import subprocess
import tempfile

import formats

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}
RATE = np.float32(0.5)


def prepare(s):
    """w float32 [2, 2], emb float32 [4, 3], global_step int64; gradient descent with a rate of 0.5."""
    s.make("w", np.arange(4).reshape(2, 2))
    s.make("emb", np.arange(12).reshape(4, 3))
    s.make("global_step", 7, "int64")
    s.put("optimizers/sgd", {"type": "gradient_descent", "learning_rate": 0.5}).expect(201)


def gradients():
    return {"w": np.array([[1, 2], [3, 4]], "<f4"), "emb.indices": np.array([2, 0, 2], "<i8"),
            "emb.values": np.ones((3, 3), "<f4")}


def check_stepped(s, steps=1):
    w, emb = np.arange(4, dtype="<f4").reshape(2, 2), np.arange(12, dtype="<f4").reshape(4, 3)
    for _ in range(steps):
        w -= RATE * gradients()["w"]
        emb[2] -= 2 * RATE
        emb[0] -= RATE
    assert (s.array("w") == w).all() and (s.array("emb") == emb).all()


def apply(s, tensors, query="", metadata=None, headers=None):
    file = formats.safetensors_of(tensors, metadata)
    return s.post(f"optimizers/sgd:apply_gradients{query}", file, SAFE if headers is None else headers)


def test_gradients_beside_their_json(s):
    prepare(s)
    request = {"gradients": {"w": {"tensor": "w"}, "emb": {"indices": {"tensor": "emb.indices"},
                                                             "values": {"tensor": "emb.values"}}},
               "global_step": "global_step"}
    reply = s.post("optimizers/sgd:apply_gradients", *s.multipart(request, gradients())).expect(200).json
    assert reply["global_step"] == 8
    check_stepped(s)
    # In a run too, as any value.
    request = {"ops": [{"op": "apply_gradients", "optimizer": "sgd", **request}]}
    s.post(":run", *s.multipart(request, gradients(), True)).expect(200)
    check_stepped(s, 2)
    assert s.value("global_step") == 9


def test_gradients_alone_are_named_like_their_variables(s):
    prepare(s)
    kinds = [SAFE, {"Content-Type": "application/octet-stream"}, {}, {"Content-Type": "application/x-www-form-urlencoded"}]
    for k, headers in enumerate(kinds):
        apply(s, gradients(), headers=headers).expect(200)
        check_stepped(s, k + 1)
    apply(s, {"w:0": gradients()["w"]}).expect(200)
    assert (s.array("emb")[1] == [3, 4, 5]).all()


def test_alone_means_what_the_json_means(s):
    """The same reply, but for times and revisions, to the same step said in three ways."""
    replies = []
    for k in range(3):
        model = s.model
        s.model = f"{model}-{k}"
        s.put("", {})
        prepare(s)
        base = s.info("emb")["revision"]
        fields = {"global_step": "global_step", "clip_by_global_norm": 0.25, "base_revision": base, "max_staleness": 3}
        text = {name: str(value) for name, value in fields.items()}
        if k == 0:
            listed = {name: value.tolist() for name, value in gradients().items()}
            reply = s.post("optimizers/sgd:apply_gradients", {"gradients": {
                "w": listed["w"], "emb": {"indices": listed["emb.indices"], "values": listed["emb.values"]}}, **fields})
        elif k == 1:
            reply = apply(s, gradients(), "?" + "&".join(f"{name}={value}" for name, value in text.items()))
        else:
            reply = apply(s, gradients(), metadata={**text, "format": "pt"})
        found = reply.expect(200).json
        found.pop("revision")
        replies.append((found, s.array("w").tolist(), s.array("emb").tolist(), s.value("global_step")))
        s.model = model
    assert replies[0] == replies[1] == replies[2]
    assert replies[0][0]["clip_scale"] < 1 and replies[0][0]["global_step"] == 8 and replies[0][0]["staleness"] == 0


def test_curl_sends_a_file(s):
    prepare(s)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "grads.safetensors")
        with open(file, "wb") as out:
            out.write(formats.safetensors_of(gradients()))
        url = f"http://127.0.0.1:{s.server.port}{s.path('optimizers/sgd:apply_gradients')}?global_step=global_step"
        done = subprocess.run(["curl", "-sS", "-f", "--data-binary", f"@{file}", url], capture_output=True, check=False)
        assert done.returncode == 0, done
    check_stepped(s)
    assert s.value("global_step") == 8


def test_a_large_gradient_streams(s):
    count = (1 << 18) if s.slow else (10 << 20)
    prepare(s)
    s.put_npy("big", np.zeros(count, "<f4"))
    apply(s, {"big": np.full(count, 2, "<f4")}).expect(200)
    assert (s.array("big") == -1).all()


def test_what_does_not_fit_is_said(s):
    prepare(s)
    w, step = gradients()["w"], "?global_step=global_step"
    for words, tensors, query, metadata in (
            ("'emb' is there beside 'emb.indices' and 'emb.values'", {**gradients(), "emb": np.zeros((4, 3), "<f4")}, "", None),
            ("is not a legal variable name", {"a b": w}, "", None),
            ("'global_step' is given twice: in the query and in __metadata__", {"w": w}, step, {"global_step": "global_step"}),
            ("did you mean 'base_revision'?", {"w": w}, "", {"base_revison": "3"}),
            ("field 'clip_by_global_norm'", {"w": w}, "?clip_by_global_norm=much", None),
            ("field 'max_staleness'", {"w": w}, "?max_staleness=-1&base_revision=1", None),
            ("field 'max_staleness' needs 'base_revision'", {"w": w}, "", {"max_staleness": "1"}),
            ("learning_rate", {"w": w}, "?learning_rate=1", None),
            ("[3]", {"w": np.zeros(3, "<f4")}, "", None),
            ("float64", {"w": w.astype("<f8")}, "", None),
            ("Index 4 at offset 1 in indices", {"emb.indices": np.array([0, 4], "<i4"), "emb.values": np.zeros((2, 3), "<f4")}, "", None),
            ("tensor 'w'", {"w": ("float32", (2, 2), w.tobytes()[:-1])}, "", None)):
        with s.unchanged():
            reply = apply(s, tensors, query, metadata)
        s.is_refusal(reply, 400, "INVALID_ARGUMENT", words)
    with s.unchanged():
        s.is_refusal(apply(s, {"nope": w}), 404, "NOT_FOUND", "nope")
        s.is_refusal(apply(s, {"emb.values": gradients()["emb.values"]}), 404, "NOT_FOUND", "emb.values")
    s.refuses(400, "INVALID_ARGUMENT", "query argument 'global_step' goes with a body of tensors alone", "POST",
              f"optimizers/sgd:apply_gradients{step}", {"gradients": {"w": w.tolist()}})
    s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "only application/json, multipart/form-data, application/vnd.safetensors", "POST",
              "optimizers/sgd:apply_gradients", b"x", {"Content-Type": "application/x-npy"})
    s.refuses(400, "INVALID_ARGUMENT", "the body ends after 0 of 8 bytes", "POST", "optimizers/sgd:apply_gradients", b"", SAFE)
    check_stepped(s, 0)


def test_a_retried_step_is_made_once(s):
    prepare(s)
    headers = {**SAFE, "Idempotency-Key": "worker-3-step-17"}
    first = apply(s, gradients(), headers=headers).expect(200)
    again = apply(s, gradients(), headers=headers).expect(200)
    assert again.json == first.json and again.headers["idempotency-replayed"] == "true"
    check_stepped(s)
    other = {**gradients(), "w": gradients()["w"] + 1}
    with s.unchanged():
        s.is_refusal(apply(s, other, headers=headers), 422, "UNPROCESSABLE", "its body")
