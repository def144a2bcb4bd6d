"""JSON from strangers."""

JSON = {"Content-Type": "application/json"}
GOOD = '{"name": "w", "initial_value": {"op": "zeros", "shape": [2]}}'


def refused(s, text, *words, method="POST", path="variables"):
    return s.refuses(400, "INVALID_ARGUMENT", words, method, path, text, JSON)


def test_text_that_is_no_json(s):
    for text in ("{", "[", '{"name"', '{"name": }', "{'name': 'w'}", GOOD[:-1], GOOD + "}", GOOD + " x", GOOD + GOOD,
                 '{"name": "w",}', "\ufeff" + GOOD, "// comment\n" + GOOD, '{"name": "w" "shape": [1]}', "nul", "tru", "{]"):
        refused(s, text)


def test_bytes_that_are_no_text(s):
    for body in (b'{"name": "\xff"}', b'{"name": "\xc3"}', b'{"name": "\xed\xa0\x80"}', b'{"name": "\xc0\xaf"}',
                 b'{"name": "w\x00"}', b'{"name": "w"}\x00', b'{"a": [1\x00,2]}', b'{"name": "a\nb"}', b"\x00", b"\xff\xfe{\x00}\x00"):
        refused(s, body)
    for text in ('{"name": "\\u0000w"}', '{"name": "\\ud800"}', '{"name": "\\x41"}', '{"name": "\\u12"}'):
        refused(s, text)


def test_numbers_outside_jsons_grammar(s):
    s.make("w", [0, 0])
    for number in ("NaN", "Infinity", "-Infinity", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10", "1_000", "--1", "- 1",
                   "1e999", "-1e999", "1,", "1 2", "\u0661"):
        refused(s, '{"value": [0, %s]}' % number, path="variables/w:assign")
        refused(s, '{"value": {"dtype": "float32", "shape": [2], "data": [0, %s]}}' % number, path="variables/w:assign")
    assert s.value("w") == [0, 0]


def test_numbers_too_big_for_their_field(s):
    for number in ("18446744073709551616", "1e400", "-9223372036854775809", "1" * 400, "1.5"):
        refused(s, '{"name": "w", "dtype": "int8", "shape": [%s]}' % number, "shape")
        refused(s, '{"name": "w", "initial_value": {"op": "random_normal", "shape": [2], "seed": %s}}' % number, "seed")
    refused(s, '{"name": "w", "initial_value": {"op": "fill", "dims": [2], "value": {"dtype": "uint64", "shape": [], '
               '"data": 18446744073709551616}}}')


def test_depth_is_limited_without_harm(s):
    for depth in (65, 1000, 100_000):
        refused(s, "[" * depth)
        refused(s, "[" * depth + "]" * depth)
        refused(s, '{"a":' * depth + "1" + "}" * depth)
        refused(s, '{"name": "w", "initial_value": ' + "[" * depth + "1" + "]" * depth + "}")
    s.get("/healthz").expect(200)


def test_duplicate_keys_are_refused_at_every_level(s):
    for text in ('{"name": "w", "name": "v", "dtype": "int8", "shape": []}',
                 '{"name": "w", "initial_value": {"op": "zeros", "shape": [1], "shape": [2]}}',
                 '{"name": "w", "n\\u0061me": "v", "dtype": "int8", "shape": []}',
                 '[{"name": "w", "dtype": "int8", "dtype": "int8", "shape": []}]'):
        refused(s, text, "duplicate")
    refused(s, '{"seed": 1, "seed": 1}', "seed", method="PUT", path="/v1/models/dup")


def test_arrays_of_mixed_kinds(s):
    s.make("w", [0, 0])
    for value in ('[1, "a"]', "[1, true]", "[1, null]", "[1, {}]", '[1, {"a": 1}]', "[[1], 2]", "[1, [2]]", "null", '"text"',
                  "{}", '{"data": 5}'):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", '{"value": %s}' % value, JSON)


def test_fields_named_like_internals_are_only_names(s):
    for text in ('{"name": "w", "__proto__": 1}', '{"name": "w", "": 1}', '{"name": "w", "\\u00e9": 1}',
                 '{"name": "w", "%s": 1}' % ("x" * 5000)):
        refused(s, text)
    # A long unknown name must not come back whole.
    assert len(s.client.log[-2].body) < 4000 or len(s.client.log[-1].body) < 4000


def test_many_small_things(s):
    """What costs a naive parser memory."""
    before = s.server.memory()["VmRSS"]
    for text in ("[" + "{}," * 300_000 + "{}]", '{"a": [' + "[]," * 400_000 + "[]]}", "[" + '"",' * 300_000 + '""]',
                 "{" + ",".join(f'"k{i}": 1' for i in range(100_000)) + "}"):
        reply = s.request("POST", "variables", text, JSON)
        assert reply.status in (400, 413), str(reply)
    if not s.slow:
        assert s.server.memory()["VmRSS"] < before + (400 << 20)


def test_large_arrays_of_numbers_are_fine(s):
    n = 200_000
    text = '{"value": [' + ",".join(map(str, range(n))) + "]}"
    s.create("w", dtype="int64", shape=[n])
    s.post("variables/w:assign", text, JSON).expect(200)
    assert s.value("w", slice="-2:") == [n - 2, n - 1]


def test_a_body_where_none_is_expected(s):
    s.make("w", [1])
    for method, path in (("GET", "variables/w"), ("DELETE", "variables/w"), ("HEAD", "variables/w")):
        with s.unchanged():
            with s.socket() as raw:
                raw.send(f"{method} {s.path(path)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                reply = raw.reply(head=method == "HEAD")
        assert reply.status == 400, str(reply)


def test_errors_quote_hostile_text_safely(s):
    for name in ("\u0007bell", "<script>", 'quote"', "back\\slash", "\u2028", "🙂" * 100, "\r\nSet-Cookie: a=b"):
        reply = s.post("variables", {"name": name, "initial_value": 1.0})
        assert reply.status == 400, str(reply)
        assert "set-cookie" not in reply.headers
        assert isinstance(reply.json["detail"], str)
