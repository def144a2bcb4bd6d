/* npy: files of several writers, files broken on purpose, element orders, and the header we write.
 */
#include "api/wire/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/support/fixture.h"

/* Header and data of a whole file, the data row-major and little-endian. False: refused, err says
 * why. */
static bool
load(struct bytes file, struct api_npy_header *header, struct tensor *out, struct err *err)
{
    AUTO(tensor) raw = {0};
    AUTO(tensor) ordered = {0};
    size_t size = 0;
    struct bytes prefix = file;

    if (prefix.size > API_NPY_PREFIX_BYTES)
        prefix.size = API_NPY_PREFIX_BYTES;
    if (api_npy_header_size(prefix, &size, err) != OK ||
        api_npy_header_decode(file, API_NPY_V2_UNKNOWN, header, err) != OK)
        return false;
    if (file.size - size != tensor_type_bytes(&header->type)) {
        (void)err_set(err, ERR_INVALID_ARGUMENT, "%zu bytes of data", file.size - size);
        return false;
    }
    assert_int_equal(tensor_init(&raw, &header->type, file.size - size, NULL), OK);
    assert_int_equal(tensor_init(&ordered, &header->type, file.size - size, NULL), OK);
    if (raw.size > 0)
        memcpy(raw.data, file.data + size, raw.size);
    if (header->big_endian)
        api_wire_swap(header->type.dtype, raw.data, raw.size);
    if (header->fortran_order)
        api_npy_to_row_major(&header->type, raw.data, ordered.data);
    *out = header->fortran_order ? TAKE(ordered) : TAKE(raw);
    return true;
}

static void
expect_fixture(const char *folder, json_t *entry)
{
    char path[256], type[TENSOR_TYPE_TEXT_BYTES_MAX], want[TENSOR_TYPE_TEXT_BYTES_MAX];
    char sha256[FIXTURE_SHA256_BYTES];
    struct tensor_type expected = {.dtype = DTYPE_UNSET};
    struct api_npy_header header;
    AUTO(tensor) tensor = {0};
    struct fixture_file file;
    json_t *shape = json_object_get(entry, "shape"), *dim;
    size_t i;
    struct err err = ERR_INIT;
    bool loaded;

    snprintf(path, sizeof path, "%s/%s", folder, json_string_value(json_object_get(entry, "file")));
    file = fixture_read(path);
    loaded = load(bytes_of(file.data, file.size), &header, &tensor, &err);
    if (json_object_get(entry, "expect") != NULL) {
        assert_false(loaded);
        assert_int_equal(err.code, ERR_INVALID_ARGUMENT);
        free(file.data);
        return;
    }
    if (!loaded)
        fail_msg("%s: %s", path, err.text);
    assert_true(dtype_of_name(bytes_of_text(json_string_value(json_object_get(entry, "dtype"))),
                              &expected.dtype));
    json_array_foreach(shape, i, dim) expected.shape.dims[expected.shape.rank++] =
        (uint64_t)json_number_value(dim);
    assert_string_equal(tensor_type_text(&header.type, type), tensor_type_text(&expected, want));
    assert_int_equal(header.fortran_order, json_is_true(json_object_get(entry, "fortran_order")));
    assert_int_equal(header.big_endian,
                     json_string_value(json_object_get(entry, "descr"))[0] == '>');
    assert_string_equal(fixture_sha256(tensor.data, tensor.size, sha256),
                        json_string_value(json_object_get(entry, "sha256")));
    free(file.data);
}

static void
files_of_other_writers_load_bit_for_bit(void **state)
{
    static const char *const folders[] = {"tests/fixtures/npy-ndarray-big-endian",
                                          "tests/fixtures/npy-npyio", "tests/fixtures/npy-npyjs",
                                          "tests/fixtures/npy-numpy-made-a",
                                          "tests/fixtures/npy-xtensor"};
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[256];
        json_t *expected, *entry;
        size_t j;

        snprintf(path, sizeof path, "%s/EXPECTED.json", folders[i]);
        expected = fixture_json(path);
        json_array_foreach(json_object_get(expected, "tensors"), j, entry)
        {
            if (json_object_get(entry, "member") != NULL) /* in an npz */
                continue;
            expect_fixture(folders[i], entry);
            seen++;
        }
        json_decref(expected);
    }
    assert_int_equal(seen, 27);
}

static void
malformed_files_are_refused_as_their_manifest_says(void **state)
{
    json_t *manifest = fixture_json("tests/fixtures/malformed/manifest.json"), *entry;
    size_t i, seen = 0;

    (void)state;
    json_array_foreach(json_object_get(manifest, "cases"), i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const char *expect = json_string_value(json_object_get(entry, "expect"));
        char path[256];
        struct api_npy_header header;
        AUTO(tensor) tensor = {0};
        struct fixture_file file;
        struct err err = ERR_INIT;

        if (strcmp(json_string_value(json_object_get(entry, "format")), "npy") != 0)
            continue;
        snprintf(path, sizeof path, "tests/fixtures/malformed/%s/x.npy", id);
        file = fixture_read(path);
        if (load(bytes_of(file.data, file.size), &header, &tensor, &err) &&
            strcmp(expect, "reject") == 0)
            fail_msg("%s was accepted", id);
        free(file.data);
        seen++;
    }
    json_decref(manifest);
    assert_int_equal(seen, 13);
}

/* A version 1.0 header around a literal. */
static enum err_code
decode_literal(const char *literal, struct api_npy_header *header, struct err *err)
{
    size_t length = strlen(literal);
    uint8_t *data = malloc(10 + length);
    enum err_code code;

    assert_non_null(data);
    memcpy(data, "\x93NUMPY\1\0", 8);
    data[8] = (uint8_t)length;
    data[9] = (uint8_t)(length >> 8);
    memcpy(data + 10, literal, length);
    code = api_npy_header_decode(bytes_of(data, 10 + length), API_NPY_V2_UNKNOWN, header, err);
    free(data);
    return code;
}

static void
literals_are_read_however_they_are_laid_out(void **state)
{
    static const char *const rows[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
        "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"f4\"}",
        "\n{ 'descr' :\t'=f4' ,\n'shape' : ( 2 , 3L , ) , 'fortran_order' : False }\n\n   ",
        "{'shape': (2L, 3L), 'descr': '|f4', 'fortran_order': False,}"};
    struct api_npy_header header;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (decode_literal(rows[i], &header, &err) != OK)
            fail_msg("%s: %s", rows[i], err.text);
        assert_int_equal(header.type.dtype, DTYPE_FLOAT32);
        assert_int_equal(header.type.shape.rank, 2);
        assert_int_equal(header.type.shape.dims[1], 3);
        assert_false(header.big_endian || header.fortran_order);
    }
    assert_int_equal(
        decode_literal("{'descr':'>u1','fortran_order':True,'shape':(0,)}", &header, NULL), OK);
    assert_int_equal(header.type.dtype, DTYPE_UINT8);
    assert_false(header.big_endian);
    assert_true(header.fortran_order);
    assert_int_equal(header.type.shape.dims[0], 0);
}

static void
literals_that_mean_something_else_are_refused(void **state)
{
#define WITH(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
    static const struct {
        const char *literal, *because;
    } rows[] = {
        {"", "where '{' is expected"},
        {"{", "each once"},
        {"{}", "lacks descr"},
        {"{'descr': '<f4', 'fortran_order': False}", "lacks shape"},
        {"{'descr': '<f4', 'shape': ()}", "lacks fortran_order"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "each once"},
        {"{'descr' '<f4'}", "where ':' is expected"},
        {"{descr: '<f4'}", "each once"},
        {"{'descr': '<f4' 'shape': ()}", "where ',' or '}' is expected"},
        {"{'descr': '<f4", "the text of a dtype"},
        {"{'descr': '<\\x66'", "the text of a dtype"},
        {"{,}", "each once"},
        {WITH("'<f4'", "False", "()") " x", "the end of the header"},
        {WITH("'<f4'", "False", "()") "{", "the end of the header"},
        {WITH("'<f4'", "false", "()"), "True or False"},
        {WITH("'<f4'", "'False'", "()"), "True or False"},
        {WITH("'<f4'", "1", "()"), "True or False"},
        {WITH("'<f4'", "False", "[2, 3]"), "a tuple"},
        {WITH("'<f4'", "False", "5"), "a tuple"},
        {WITH("'<f4'", "False", "(5)"), "',' as in (5,)"},
        {WITH("'<f4'", "False", "(,)"), "a dimension"},
        {WITH("'<f4'", "False", "(2,,3)"), "a dimension"},
        {WITH("'<f4'", "False", "(2 3)"), "',' or ')'"},
        {WITH("'<f4'", "False", "(-2,)"), "a dimension"},
        {WITH("'<f4'", "False", "(2.0,)"), "',' or ')'"},
        {WITH("'<f4'", "False", "(0x10,)"), "a dimension"},
        {WITH("'<f4'", "False", "((2,),)"), "a dimension"},
        {WITH("'<f4'", "False", "(18446744073709551616,)"), "a dimension"},
        {WITH("'<f4'", "False", "(L,)"), "a dimension"},
        {WITH("'<f4'", "False", "(4294967296, 4294967296)"), "["},
        {WITH("'<f4'", "False",
              "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
         "32 dimensions"},
        {WITH("[('a', '<f4')]", "False", "()"), "structured"},
        {WITH("('<f4', (2,))", "False", "()"), "structured"},
        {WITH("'|O'", "False", "()"), "'|O' is not supported"},
        {WITH("'<U5'", "False", "()"), "not supported"},
        {WITH("'|S4'", "False", "()"), "not supported"},
        {WITH("'<f16'", "False", "()"), "not supported"},
        {WITH("'<M8[ns]'", "False", "()"), "not supported"},
        {WITH("'<f4\n'", "False", "()"), "the text of a dtype"},
        {WITH("'<f'", "False", "()"), "not supported"},
        {WITH("''", "False", "()"), "not supported"},
        {WITH("'<'", "False", "()"), "not supported"},
        {WITH("'<<f4'", "False", "()"), "not supported"},
        {WITH("'|V2'", "False", "()"), "bfloat16"},
    };
    struct api_npy_header header;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(decode_literal(rows[i].literal, &header, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, rows[i].because) == NULL)
            fail_msg("%s: '%s' does not say '%s'", rows[i].literal, err.text, rows[i].because);
    }
}

static void
prefixes_tell_the_size_of_the_header(void **state)
{
    static const struct {
        const char *prefix;
        size_t given, size;
    } rows[] = {
        {"\x93NUMPY\1\0\x76\0{'", 12, 128},       {"\x93NUMPY\1\0\x76\0", 10, 128},
        {"\x93NUMPY\2\0\x74\0\0\0", 12, 128},     {"\x93NUMPY\3\0\0\0\1\0", 12, 65548},
        {"\x93NUMPY\2\0\x74\0\0\0", 11, 0},       {"\x93NUMPY\1\0\x76\0", 9, 0},
        {"\x93NUMPY\1\1\x76\0{'", 12, 0},         {"\x93NUMPY\4\0\x76\0\0\0", 12, 0},
        {"\x93NUMPY\0\0\x76\0\0\0", 12, 0},       {"\x93NUMPy\1\0\x76\0\0\0", 12, 0},
        {"\x93NUMPY\2\0\xff\xff\xff\xff", 12, 0}, {"", 0, 0},
        {"\x93NUMPY\2\0\1\0\1\0", 12, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = 0;
        enum err_code code =
            api_npy_header_size(bytes_of(rows[i].prefix, rows[i].given), &size, NULL);

        assert_int_equal(code, rows[i].size == 0 ? ERR_INVALID_ARGUMENT : OK);
        assert_int_equal(size, rows[i].size);
    }
}

static void
headers_cut_anywhere_are_refused(void **state)
{
    static const char literal[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    char cut[sizeof literal];
    struct api_npy_header header;
    struct fixture_file file = fixture_read("tests/fixtures/npy-numpy-made-a/v2.npy");

    (void)state;
    for (size_t size = 0; size < sizeof literal - 1; size++) {
        memcpy(cut, literal, size);
        cut[size] = '\0';
        assert_int_equal(decode_literal(cut, &header, NULL), ERR_INVALID_ARGUMENT);
    }
    for (size_t size = 0; size < 128; size++)
        assert_int_equal(
            api_npy_header_decode(bytes_of(file.data, size), API_NPY_V2_UNKNOWN, &header, NULL),
            ERR_INVALID_ARGUMENT);
    free(file.data);
}

static void
written_headers_are_numpys_own_and_read_back(void **state)
{
    static const struct {
        struct tensor_type type;
        const char *literal;
    } rows[] = {
        {{DTYPE_FLOAT32, {2, {2, 3}}},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
        {{DTYPE_INT64, {0, {0}}}, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"},
        {{DTYPE_BOOL, {1, {5}}}, "{'descr': '|b1', 'fortran_order': False, 'shape': (5,), }"},
        {{DTYPE_COMPLEX128, {3, {1, 0, 2}}},
         "{'descr': '<c16', 'fortran_order': False, 'shape': (1, 0, 2), }"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(buf) out = {0};
        struct api_npy_header header;
        size_t size = 0;

        buf_init(&out, 4096);
        assert_int_equal(api_npy_header_encode(&rows[i].type, API_NPY_V2_UNKNOWN, &out, NULL), OK);
        assert_int_equal(out.size, 128);
        assert_memory_equal(out.data, "\x93NUMPY\1\0\x76\0", 10);
        assert_memory_equal(out.data + 10, rows[i].literal, strlen(rows[i].literal));
        assert_int_equal(out.data[127], '\n');
        assert_int_equal(api_npy_header_size(buf_bytes(&out), &size, NULL), OK);
        assert_int_equal(size, 128);
        assert_int_equal(api_npy_header_decode(buf_bytes(&out), API_NPY_V2_UNKNOWN, &header, NULL),
                         OK);
        assert_true(tensor_type_equal(&header.type, &rows[i].type));
        assert_false(header.big_endian || header.fortran_order);
    }
}

static void
every_dtype_is_written_or_refused_by_name(void **state)
{
    unsigned written = 0;

    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        struct tensor_type type = {.dtype = (enum dtype)i, .shape = {.rank = SHAPE_RANK_MAX}};
        AUTO(buf) out = {0};
        struct api_npy_header header;
        struct err err = ERR_INIT;
        enum err_code code;

        for (uint32_t d = 0; d < SHAPE_RANK_MAX; d++)
            type.shape.dims[d] = d == 7 ? 70368744177664 : 1;
        buf_init(&out, 4096);
        code = api_npy_header_encode(&type, API_NPY_V2_UNKNOWN, &out, &err);
        if (dtype_info(type.dtype)->npy_descr == NULL) {
            assert_int_equal(code, ERR_NOT_ACCEPTABLE);
            assert_non_null(strstr(err.text, dtype_name(type.dtype)));
            continue;
        }
        assert_int_equal(code, OK);
        assert_int_equal(out.size % 64, 0);
        assert_int_equal(api_npy_header_decode(buf_bytes(&out), API_NPY_V2_UNKNOWN, &header, NULL),
                         OK);
        assert_true(tensor_type_equal(&header.type, &type));
        written++;
    }
    assert_int_equal(written, 14);
}

static void
swapping_twice_changes_nothing_and_once_reverses_parts(void **state)
{
    uint8_t data[32], copy[32];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        copy[i] = data[i] = (uint8_t)i;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        enum dtype dtype = (enum dtype)i;
        uint32_t part = dtype_size(dtype);

        if (part == 0)
            continue;
        if (dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128)
            part /= 2;
        api_wire_swap(dtype, data, sizeof data);
        for (size_t j = 0; j < sizeof data; j++)
            assert_int_equal(data[j], j / part * part + (part - 1 - j % part));
        api_wire_swap(dtype, data, sizeof data);
        assert_memory_equal(data, copy, sizeof data);
    }
    api_wire_swap(DTYPE_FLOAT32, data + 1, 8); /* any alignment */
    assert_int_equal(data[1], 4);
}

static void
column_major_arrays_of_every_rank_become_row_major(void **state)
{
    static const struct shape shapes[] = {
        {0, {0}},       {1, {5}},          {2, {2, 3}},         {2, {3, 0}},
        {3, {2, 3, 4}}, {4, {2, 1, 3, 2}}, {5, {1, 2, 2, 3, 2}}};
    static const enum dtype dtypes[] = {DTYPE_INT8, DTYPE_INT16, DTYPE_INT32, DTYPE_INT64,
                                        DTYPE_COMPLEX128};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t t = 0; t < sizeof dtypes / sizeof dtypes[0]; t++) {
            struct tensor_type type = {dtypes[t], shapes[s]};
            uint32_t size = dtype_size(dtypes[t]);
            uint64_t count = shape_count(&shapes[s]);
            uint8_t in[16 * 32] = {0}, out[16 * 32] = {0};

            for (uint64_t i = 0; i < count;
                 i++) /* element i in row-major order, its place in `in` */
            {
                uint64_t rest = i, place = 0, stride = 1, index[8];

                for (uint32_t d = shapes[s].rank; d-- > 0;) {
                    index[d] = rest % shapes[s].dims[d];
                    rest /= shapes[s].dims[d];
                }
                for (uint32_t d = 0; d < shapes[s].rank; d++) {
                    place += index[d] * stride;
                    stride *= shapes[s].dims[d];
                }
                in[place * size] = (uint8_t)(i + 1);
            }
            api_npy_to_row_major(&type, in, out);
            for (uint64_t i = 0; i < count; i++)
                assert_int_equal(out[i * size], i + 1);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_other_writers_load_bit_for_bit),
        cmocka_unit_test(malformed_files_are_refused_as_their_manifest_says),
        cmocka_unit_test(literals_are_read_however_they_are_laid_out),
        cmocka_unit_test(literals_that_mean_something_else_are_refused),
        cmocka_unit_test(prefixes_tell_the_size_of_the_header),
        cmocka_unit_test(headers_cut_anywhere_are_refused),
        cmocka_unit_test(written_headers_are_numpys_own_and_read_back),
        cmocka_unit_test(every_dtype_is_written_or_refused_by_name),
        cmocka_unit_test(swapping_twice_changes_nothing_and_once_reverses_parts),
        cmocka_unit_test(column_major_arrays_of_every_rank_become_row_major),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
