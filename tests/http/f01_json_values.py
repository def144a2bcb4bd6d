"""Values as JSON: exact both ways, for every dtype."""

import json
import math
import struct

import formats

np = formats.np
SPECIAL = ["NaN", "Infinity", "-Infinity"]


def round_trip(s, dtype, data, shape=None):
    """Written as JSON, read as JSON: the text of "data" must mean the same."""
    name = f"v{getattr(s, 'count', 0)}"
    s.count = getattr(s, "count", 0) + 1
    shape = [len(data)] if shape is None else shape
    s.create(name, dtype=dtype, shape=shape)
    s.assign(name, {"dtype": dtype, "shape": shape, "data": data})
    reply = s.get(f"variables/{name}:value").expect(200).json
    assert reply["dtype"] == dtype and reply["shape"] == shape, reply
    return reply["data"], name


def test_integers_are_exact_over_their_whole_range(s):
    for dtype in formats.NUMPY:
        if dtype[0] not in "iu":
            continue
        limits = np.iinfo(formats.NUMPY[dtype])
        data = [int(limits.min), int(limits.max), 0, 1, int(limits.max) - 1, int(limits.max) // 3]
        got, name = round_trip(s, dtype, data)
        assert got == data, (dtype, got)
        assert np.frombuffer(s.bytes_of(name), formats.NUMPY[dtype]).tolist() == data
    got, _ = round_trip(s, "uint64", [2 ** 64 - 1, 2 ** 63, 2 ** 53 + 1])
    assert got == [18446744073709551615, 9223372036854775808, 9007199254740993]


def test_one_past_the_range_is_refused(s):
    for dtype in formats.NUMPY:
        if dtype[0] not in "iu":
            continue
        limits = np.iinfo(formats.NUMPY[dtype])
        s.create(f"v_{dtype}", dtype=dtype, shape=[2])
        for bad in (int(limits.max) + 1, int(limits.min) - 1, 1.5, "1", True, 2 ** 64, -2 ** 64):
            s.refuses(400, "INVALID_ARGUMENT", dtype, "POST", f"variables/v_{dtype}:assign",
                      {"value": {"dtype": dtype, "shape": [2], "data": [1, bad]}})


def test_floats_read_back_to_the_same_bits(s):
    random = np.random.default_rng(7)
    for dtype, bits in (("float32", "<u4"), ("float64", "<u8"), ("float16", "<u2")):
        patterns = random.integers(0, np.iinfo(bits).max, 3000, dtype=np.uint64, endpoint=True).astype(bits)
        floats = patterns.view(formats.NUMPY[dtype])
        floats = np.concatenate([floats, np.array([0.0, -0.0, np.finfo(floats.dtype).max, np.finfo(floats.dtype).tiny,
                                                   np.finfo(floats.dtype).smallest_subnormal, 0.1, 1 / 3], floats.dtype)])
        s.put_npy(dtype, floats)
        text = s.get(f"variables/{dtype}:value").expect(200).body
        got = formats.of_json(json.loads(text)["data"], dtype)
        finite = ~np.isnan(floats)
        assert np.array_equal(got[finite].view(bits), floats[finite].view(bits)), dtype
        assert np.isnan(got[~finite]).all()
        # And back in, from that text.
        s.put(f"variables/{dtype}:value", json.dumps(json.loads(text)["data"])).expect(200)
        assert np.array_equal(s.array(dtype)[finite].view(bits), floats[finite].view(bits)), dtype


def test_float_text_is_the_shortest(s):
    s.make("f", [0.1, 1.0, 16777216.0, 1e-45, 3.4028235e38, 0.3, 1e21, 123456.79])
    body = s.get("variables/f:value").expect(200).body
    data = body[body.index(b'"data"'):]
    for text in (b"0.1", b"1.0", b"16777216.0", b"0.3"):
        assert text in data, (text, data)
    for text in (b"0.10000000149", b"0.30000001192"):
        assert text not in data, data
    numbers = data[data.index(b"[") + 1:data.index(b"]")].split(b",")
    for number, value in zip(numbers, s.array("f")):
        assert len(number.strip()) <= len(np.format_float_scientific(value, unique=True)) + 4, (number, value)


def test_non_finite_numbers_travel_as_texts(s):
    for dtype in ("float16", "float32", "float64", "bfloat16"):
        got, _ = round_trip(s, dtype, SPECIAL + [1.5])
        assert got == SPECIAL + [1.5], (dtype, got)
    s.create("w", dtype="float32", shape=[1])
    for bad in ("nan", "inf", "Inf", "+Infinity", "1.0", "", "NaN "):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", {"value": [bad]})
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", '{"value": [NaN]}')
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", '{"value": [Infinity]}')
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", '{"value": [1e999]}')
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", '{"value": [1e39]}')
    s.assign("w", [1e-999])
    assert s.value("w") == [0.0]


def test_numbers_are_rounded_once(s):
    s.create("f", dtype="float32", shape=[3])
    s.post("variables/f:assign", '{"value": [1.00000005960464477540, 1.000000059604644775390625, 16777217]}').expect(200)
    got = [struct.pack("<f", x) for x in s.array("f")]
    assert got == [struct.pack("<f", x) for x in (1.0000001192092896, 1.0, 16777216.0)], got
    s.create("h", dtype="float16", shape=[2])
    s.post("variables/h:assign", '{"value": [1.00048828125000001, 65519.999]}').expect(200)
    assert s.array("h").tolist() == [1.0009765625, 65504.0]
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/h:assign", '{"value": [65520, 0]}')


def test_complex_numbers_are_pairs(s):
    for dtype in ("complex64", "complex128"):
        got, name = round_trip(s, dtype, [[1.5, -2], [0, "Infinity"]], [2])
        assert got == [[1.5, -2.0], [0.0, "Infinity"]], got
        array = s.array(name)
        assert array[0] == 1.5 - 2j and math.isinf(array[1].imag)
        got, _ = round_trip(s, dtype, [2.5, -1.0], [])
        assert got == [2.5, -1.0]
    s.create("c", dtype="complex64", shape=[1])
    for bad in ([[1]], [[1, 2, 3]], [["a", 1]], [[[1, 2]]]):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/c:assign",
                  {"value": {"dtype": "complex64", "shape": [1], "data": bad}})


def test_booleans(s):
    got, _ = round_trip(s, "bool", [True, False, True])
    assert got == [True, False, True]


def test_strings_hold_any_bytes(s):
    texts = ["", "plain", "é中😀", 'quote " back \\ \n\t\u0001', "x" * 3000]
    got, name = round_trip(s, "string", texts)
    assert got == texts
    assert formats.strings_read(s.bytes_of(name)) == [text.encode() for text in texts]
    s.put_raw("bytes", "string", [3], formats.strings_write([b"\xff\xfe", b"\0", b"ok"]))
    data = s.value("bytes")
    assert data[0] == {"base64": "//4="} and data[2] == "ok", data
    s.assign("bytes", {"dtype": "string", "shape": [3], "data": [{"base64": "//4="}, "b", ""]})
    assert formats.strings_read(s.bytes_of("bytes")) == [b"\xff\xfe", b"b", b""]


def test_bfloat16_and_float8(s):
    values = [1.0, -2.5, 3.140625, 0.0078125]
    got, name = round_trip(s, "bfloat16", values)
    assert s.bytes_of(name) == formats.bfloat16(values).tobytes() == formats.bfloat16(got).tobytes(), got
    s.put_raw("e4", "float8_e4m3fn", [4], bytes([0x38, 0xB8, 0x7E, 0x00]))
    got = s.value("e4")
    assert got[:2] == [1.0, -1.0] and 432 < got[2] <= 464 and got[3] == 0, "the shortest text that means 448 and no neighbour"
    s.put_raw("e5", "float8_e5m2", [3], bytes([0x3C, 0x7C, 0xC0]))
    assert s.value("e5") == [1.0, "Infinity", -2.0]


def test_stored_only_types_round_trip(s):
    for dtype, size in (("qint8", 1), ("quint8", 1), ("qint16", 2), ("quint16", 2), ("qint32", 4)):
        data = bytes(range(1, 1 + 3 * size))
        s.put_raw(dtype, dtype, [3], data)
        assert s.bytes_of(dtype) == data
        assert s.info(dtype)["dtype"] == dtype
        s.save(f"c_{dtype}", variables=[dtype])
        s.restore(f"c_{dtype}")
        assert s.bytes_of(dtype) == data
        s.refuses(400, "INVALID_ARGUMENT", dtype, "POST", f"variables/{dtype}:assign_add",
                  {"value": {"variable": dtype}})


def test_scalars_empties_and_deep_ranks(s):
    for shape, data in (([], 5.0), ([0], []), ([2, 0], [[], []]), ([0, 3], []), ([1, 1, 1, 1, 2], [[[[[1.0, 2.0]]]]]),
                        ([2, 0, 2], [[], []])):
        name = "v" + "x".join(map(str, shape))
        s.create(name, dtype="float32", shape=shape)
        s.assign(name, {"dtype": "float32", "shape": shape, "data": data})
        reply = s.get(f"variables/{name}:value").expect(200).json
        assert reply["data"] == data and reply["shape"] == shape, reply


def test_ragged_and_miscounted_data_is_refused_with_its_place(s):
    s.create("w", dtype="float32", shape=[2, 3])
    for data in ([[1, 2, 3], [4, 5]], [[1, 2, 3], 4], [1, [2, 3, 4], 5], [[1, 2, 3], [4, 5, [6]]], [1, 2, 3, 4, 5],
                 [[1, 2], [3, 4], [5, 6]], [[]], [], [[1, 2, 3], [4, 5, None]], [[1, 2, 3], [4, 5, {}]]):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign", {"value": data})
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/w:assign",
                  {"value": {"dtype": "float32", "shape": [2, 3], "data": data}})


def test_casting_on_read(s):
    s.make("w", [1.5, -2.0, 300.0])
    reply = s.get("variables/w:value?dtype=float64").expect(200).json
    assert reply["dtype"] == "float64" and reply["data"] == [1.5, -2.0, 300.0]
    assert s.get("variables/w:value?dtype=int32").expect(200).json["data"] == [1, -2, 300]
    got = formats.npy_read(s.get("variables/w:value?dtype=float16&format=npy").expect(200).body)
    assert got.dtype == np.float16 and got.tolist() == [1.5, -2.0, 300.0]
    s.refuses(400, "INVALID_ARGUMENT", "float31", "GET", "variables/w:value?dtype=float31")
