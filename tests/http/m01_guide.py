"""TensorFlow's guide to variables, its page from top to bottom, over HTTP."""

import formats

np = formats.np


def declare(s):
    s.create("weights", {"op": "random_normal", "shape": [784, 200], "stddev": 0.35})
    s.create("biases", {"op": "zeros", "shape": [200]})


def test_creation(s):
    """weights = tf.Variable(tf.random_normal([784, 200], stddev=0.35), name="weights"); biases = tf.zeros([200])."""
    declare(s)
    assert s.names() == ["biases", "weights"] or s.names() == ["weights", "biases"]
    for name, shape in (("weights", [784, 200]), ("biases", [200])):
        info = s.info(name)
        assert info["shape"] == shape and info["trainable"] is True and info["initialized"] is False
    ops = str(s.info("weights")["ops"])
    assert "weights/Assign" in ops and "weights/read" in ops, "the variable op and the initializer op"


def test_device_placement_is_a_property(s):
    """with tf.device("/cpu:0"): v = tf.Variable(...)"""
    s.create("v", {"op": "zeros", "shape": [1]}, device="/cpu:0")
    assert "CPU:0" in s.info("v")["device"].upper(), s.info("v")["device"]


def test_initialization(s):
    """init_op = tf.global_variables_initializer(); sess.run(init_op)"""
    declare(s)
    reply = s.get("variables/weights:value")
    assert reply.status == 409 and reply.code == "FAILED_PRECONDITION"
    assert sorted(s.initialize().json["initialized"]) == ["biases", "weights"]
    weights = s.array("weights")
    assert weights.dtype == np.float32 and weights.shape == (784, 200)
    assert abs(weights.std() - 0.35) < 0.01 and abs(weights.mean()) < 0.01
    assert not s.array("biases").any()


def test_initialization_from_another_variable(s):
    """w2 = tf.Variable(weights.initialized_value()); w_twice = tf.Variable(weights.initialized_value() * 2.0)"""
    declare(s)
    s.create("w2", {"initialized_value": "weights"})
    s.create("w_twice", {"op": "multiply", "args": [{"initialized_value": "weights"}, 2.0]})
    s.initialize()
    weights = s.array("weights")
    assert np.array_equal(s.array("w2"), weights)
    assert np.array_equal(s.array("w_twice"), weights * np.float32(2))


def test_custom_initialization(s):
    """tf.variables_initializer([...]) for some of them, tf.report_uninitialized_variables for the rest."""
    declare(s)
    s.initialize(variables=["biases"])
    assert s.names("?initialized=false") == ["weights"]
    s.initialize(only_uninitialized=True)
    assert s.names("?initialized=false") == []


def test_saving_and_restoring(s):
    """saver.save(sess, "/tmp/model.ckpt"), then saver.restore(sess, …) without running any initializer."""
    s.create("v1", {"op": "fill", "dims": [3], "value": 1.5})
    s.create("v2", {"op": "random_uniform", "shape": [4, 4]})
    s.initialize()
    v1, v2 = s.array("v1"), s.array("v2")
    assert s.save("model.ckpt").json["name"] == "model.ckpt"
    # A new program: the same variables, nothing initialized.
    source = s.model
    s.put("/v1/models/second_program", {}).expect(201)
    s.model = "second_program"
    s.create("v1", {"op": "fill", "dims": [3], "value": 0.0})
    s.create("v2", {"op": "random_uniform", "shape": [4, 4]})
    s.post(":restore", {"checkpoint": {"model": source, "name": "model.ckpt"}}).expect(200)
    assert np.array_equal(s.array("v1"), v1) and np.array_equal(s.array("v2"), v2)
    assert s.names("?initialized=false") == []


def test_saving_at_a_step(s):
    """saver.save(sess, 'my-model', global_step=…)"""
    s.make("v", [1])
    names = [s.save("my-model", global_step=step).json["name"] for step in (0, 1000)]
    assert names == ["my-model-0", "my-model-1000"]
    assert s.get("checkpoints:latest").json["name"] == "my-model-1000"


def test_choosing_what_to_save(s):
    """saver = tf.train.Saver({"my_v2": v2})"""
    s.make("v1", [1])
    v2 = s.make("v2", [2, 3])
    s.save("model.ckpt", variables={"my_v2": "v2"})
    tensors = s.get("checkpoints/model.ckpt").expect(200).json["tensors"]
    assert [(t["name"], t["dtype"], t["shape"]) for t in tensors] == [("my_v2", "float32", [2])]
    s.put("variables/v2:value", [0, 0]).expect(200)
    s.restore("model.ckpt", variables={"my_v2": "v2"})
    assert np.array_equal(s.array("v2"), v2)


def test_five_layers_into_six(s):
    """A five-layer model restored into a six-layer one; only the sixth layer is initialized."""
    for model, layers in (("five_layers", 5), ("six_layers", 6)):
        s.put(f"/v1/models/{model}", {"seed": layers}).expect(201)
        s.model = model
        for k in range(1, layers + 1):
            s.create(f"layer{k}/weights", {"op": "truncated_normal", "shape": [20, 20], "stddev": 0.1})
            s.create(f"layer{k}/biases", {"op": "zeros", "shape": [20]})
    s.model = "five_layers"
    s.initialize()
    trained = {name: s.array(name) for name in s.names()}
    assert s.save("model.ckpt", global_step=1000).json["name"] == "model.ckpt-1000"
    s.model = "six_layers"
    report = s.post(":restore", {"checkpoint": {"model": "five_layers", "name": "model.ckpt-1000"}}).expect(200).json
    assert len(report["restored"]) == 10
    assert sorted(s.names("?initialized=false")) == ["layer6/biases", "layer6/weights"]
    s.initialize(prefix="layer6/")
    for name, array in trained.items():
        assert np.array_equal(s.array(name), array), name
    assert s.array("layer6/weights").any()


def test_inspecting(s):
    """inspect_checkpoint.py --file_name=model.ckpt, with and without --tensor_name"""
    s.make("v1", [[1.0, 2.0]])
    s.make("v2", [3], "int64")
    s.save("model.ckpt")
    tensors = {t["name"]: (t["dtype"], t["shape"]) for t in s.get("checkpoints/model.ckpt").expect(200).json["tensors"]}
    assert tensors == {"v1": ("float32", [1, 2]), "v2": ("int64", [1])}
    assert s.get("checkpoints/model.ckpt:value?tensor=v1").expect(200).json["data"] == [[1.0, 2.0]]
