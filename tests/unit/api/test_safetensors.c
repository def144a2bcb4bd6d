/* safetensors headers: real files, files broken on purpose, each rule by itself. */
#include "api/wire/safetensors.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/safetensors_whole.h"

static struct bytes
json_bytes(const json_t *text)
{
    return bytes_of(json_string_value(text), json_string_length(text));
}

static void
expect_entry(const struct api_safetensors_header *header, struct bytes data, json_t *expected)
{
    const struct api_safetensors_entry *entry =
        safetensors_entry(header, json_bytes(json_object_get(expected, "name")));
    struct tensor_type type = {.dtype = DTYPE_UNSET};
    char got[TENSOR_TYPE_TEXT_BYTES_MAX], want[TENSOR_TYPE_TEXT_BYTES_MAX];
    char sha256[FIXTURE_SHA256_BYTES];
    json_t *dim;
    size_t i;

    assert_true(dtype_of_name(json_bytes(json_object_get(expected, "dtype")), &type.dtype));
    json_array_foreach(json_object_get(expected, "shape"), i, dim)
        type.shape.dims[type.shape.rank++] = (uint64_t)json_number_value(dim);
    assert_string_equal(tensor_type_text(&entry->type, got), tensor_type_text(&type, want));
    assert_true(entry->end <= data.size);
    assert_string_equal(fixture_sha256(data.data + entry->begin, entry->end - entry->begin, sha256),
                        json_string_value(json_object_get(expected, "sha256")));
}

static void
expect_metadata(const struct api_safetensors_header *header, json_t *expected)
{
    const char *key;
    json_t *value;
    size_t found = 0;

    assert_int_equal(header->metadata_count, json_object_size(expected));
    json_object_foreach(expected, key, value)
    {
        for (size_t i = 0; i < header->metadata_count; i++)
            if (bytes_equal(header->metadata[2 * i], bytes_of_text(key))) {
                assert_true(bytes_equal(header->metadata[2 * i + 1], json_bytes(value)));
                found++;
            }
    }
    assert_int_equal(found, header->metadata_count);
}

static void
expect_folder(const char *folder, size_t tensors)
{
    char path[256];
    json_t *expected, *file_entry, *entry;
    size_t f, i, seen = 0;

    snprintf(path, sizeof path, "%s/EXPECTED.json", folder);
    expected = fixture_json(path);
    json_array_foreach(json_object_get(expected, "files"), f, file_entry)
    {
        const char *name = json_string_value(json_object_get(file_entry, "path"));
        AUTO(arena) arena = {0};
        struct api_safetensors_header header;
        struct fixture_file file;
        struct bytes data;
        struct err err = ERR_INIT;
        size_t in_file = 0;

        snprintf(path, sizeof path, "%s/%s", folder, name);
        file = fixture_read(path);
        arena_init(&arena, ARENA_BYTES);
        if (safetensors_whole(bytes_of(file.data, file.size), &arena, &header, &data, &err) != OK)
            fail_msg("%s: %s", path, err.text);
        json_array_foreach(json_object_get(expected, "tensors"), i, entry)
        {
            if (strcmp(json_string_value(json_object_get(entry, "file")), name) != 0)
                continue;
            expect_entry(&header, data, entry);
            in_file++;
        }
        assert_int_equal(header.count, in_file);
        assert_true(header.data_size == data.size);
        expect_metadata(&header, json_object_get(json_object_get(expected, "metadata"), name));
        seen += in_file;
        free(file.data);
    }
    json_decref(expected);
    assert_int_equal(seen, tensors);
}

static void
real_files_load_bit_for_bit(void **state)
{
    (void)state;
    expect_folder("tests/fixtures/st-burn-small", 28);
    expect_folder("tests/fixtures/st-candle-jfk-codes", 1);
    expect_folder("tests/fixtures/st-synth-dtypes-a", 15);
    expect_folder("tests/fixtures/st-lora-analog-svd-f16", 384);
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
        AUTO(arena) arena = {0};
        struct api_safetensors_header header;
        struct fixture_file file;
        struct bytes data;
        struct err err = ERR_INIT;
        char path[256];

        if (strcmp(json_string_value(json_object_get(entry, "format")), "safetensors") != 0)
            continue;
        snprintf(path, sizeof path, "tests/fixtures/malformed/%s/x.safetensors", id);
        file = fixture_read(path);
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(
            safetensors_whole(bytes_of(file.data, file.size), &arena, &header, &data, &err),
            ERR_INVALID_ARGUMENT);
        assert_string_not_equal(err.text, "");
        free(file.data);
        seen++;
    }
    json_decref(manifest);
    assert_int_equal(seen, 17);
}

static enum err_code
decode_text(const char *json, uint64_t data_size, struct arena *arena,
            struct api_safetensors_header *header, struct err *err)
{
    arena_init(arena, ARENA_BYTES);
    return api_safetensors_decode(bytes_of_text(json), data_size, arena, header, err);
}

#define A(inside) "{\"a\":{" inside "}}"
static const struct broken {
    const char *json;
    uint64_t data_size;
    const char *because;
} broken[] = {
    {"", 0, "no JSON object"},
    {"[]", 0, "no JSON object"},
    {" {}", 0, "no JSON object"},
    {"{}\n", 0, "no JSON object"},
    {"{} x}", 0, "the end of the text"},
    {"{}", 1, "take 0 bytes, 1 bytes follow"},
    {"{\"a\":1}", 0, "tensor 'a' is no object"},
    {"{\"a\":[]}", 0, "tensor 'a' is no object"},
    {A(""), 0, "tensor 'a' lacks dtype"},
    {A("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, "tensor 'a' lacks shape"},
    {A("\"dtype\":\"F32\",\"shape\":[]"), 4, "tensor 'a' lacks data_offsets"},
    {A("\"shape\":[],\"data_offsets\":[0,4]"), 4, "tensor 'a' lacks dtype"},
    {A("\"dtype\":32,\"shape\":[],\"data_offsets\":[0,4]"), 4, "a dtype that is no text"},
    {A("\"dtype\":\"f32\",\"shape\":[],\"data_offsets\":[0,4]"), 4, "dtype 'f32'"},
    {A("\"dtype\":\"F8_E8M0\",\"shape\":[],\"data_offsets\":[0,1]"), 1, "dtype 'F8_E8M0'"},
    {A("\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]"), 4,
     "tensor 'a' has dtype twice"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"\\u0073hape\":[],\"data_offsets\":[0,4]"), 4,
     "tensor 'a' has shape twice"},
    {A("\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]"), 4, "no list"},
    {A("\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]"), 4, "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]"), 4, "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]"), 0, "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]"), 4, "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]"), 4, "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,4]"), 4,
     "plain integers"},
    {A("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
       "1,1,1,1],\"data_offsets\":[0,4]"),
     4, "more than 32 dimensions"},
    {A("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]"), 4,
     "2^47 elements"},
    {A("\"dtype\":\"F32\",\"shape\":[9223372036854775809,2,0],\"data_offsets\":[0,0]"), 0,
     "2^47 elements"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]"), 4, "less than two"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,4]"), 4, "more than two"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,0]"), 4,
     "float32[], which takes 4 bytes; its data_offsets are 4 and 0"},
    {A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"), 4, "which takes 8 bytes"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[18446744073709551612,0]"), 4,
     "which takes 4 bytes"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]"), 5, "take 4 bytes, 5 bytes follow"},
    {A("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]"), 3, "take 4 bytes, 3 bytes follow"},
    {A("\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]"), 2,
     "tensor 'a' begins at 1, the data before it ends at 0"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
     3, "tensor 'b' begins at 1, the data before it ends at 2"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}",
     2, "tensor 'b' begins at 1, the data before it ends at 2"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, "tensor 'a' is there twice"},
    {"{\"__metadata__\":1}", 0, "__metadata__ is no object"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "is no text"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "a name is twice in __metadata__"},
    {"{\"__metadata__\":{},\"__metadat\\u0061__\":{}}", 0, "__metadata__ is there twice"},
    {"{\"a\\u0000\\n\":1}", 0, "tensor 'a?\?' is no object"},
    {"\xef\xbb\xbf{}", 0, "no JSON object"},
};

static void
every_broken_rule_is_named_with_the_tensor(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        AUTO(arena) arena = {0};
        struct api_safetensors_header header;
        struct err err = ERR_INIT;

        if (decode_text(broken[i].json, broken[i].data_size, &arena, &header, &err) !=
            ERR_INVALID_ARGUMENT)
            fail_msg("%s was not refused", broken[i].json);
        if (strstr(err.text, broken[i].because) == NULL)
            fail_msg("%s: '%s' does not say '%s'", broken[i].json, err.text, broken[i].because);
    }
}

static void
legal_oddities_are_accepted(void **state)
{
    AUTO(arena) arena = {0};
    struct api_safetensors_header header;
    struct err err = ERR_INIT;

    (void)state;
    if (decode_text(
            "{ \"z\\u0000\\ud83d\\ude00\" : {\"data_offsets\":[0,1], \"later\":{\"x\":[{}]},\n"
            "\"shape\":[ ],\"dtype\":\"BOOL\"},\t\"\":{\"dtype\":\"U8\",\"shape\":[3,0],"
            "\"data_offsets\":[1,1]},\"__metadata__\":{\"k\":\"\\u0000\",\"a\":\"\"}}   ",
            UINT64_MAX, &arena, &header, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(header.count, 2);
    assert_true(header.data_size == 1);
    assert_true(bytes_equal(header.entries[0].name, bytes_of("z\0\xf0\x9f\x98\x80", 6)));
    assert_int_equal(header.entries[0].type.dtype, DTYPE_BOOL);
    assert_int_equal(header.entries[1].name.size, 0);
    assert_int_equal(header.entries[1].type.shape.rank, 2);
    assert_int_equal(header.metadata_count, 2);
    assert_true(bytes_equal(header.metadata[0], bytes_of_text("a")));
    assert_true(bytes_equal(header.metadata[3], bytes_of("\0", 1)));
}

static void
empty_metadata_is_no_tensor(void **state)
{
    AUTO(arena) arena = {0};
    struct api_safetensors_header header;

    (void)state;
    assert_int_equal(decode_text("{\"__metadata__\":{}}", 0, &arena, &header, NULL), OK);
    assert_int_equal(header.count, 0);
    assert_int_equal(header.metadata_count, 0);
}

static void
header_lengths_are_checked_against_the_file(void **state)
{
    static const struct {
        uint64_t length, file_size;
        size_t prefix;
        bool good;
    } rows[] = {
        {2, 10, 8, true},
        {0, 8, 8, true},
        {2, 9, 8, false},
        {2, 10, 7, false},
        {100000000, UINT64_MAX, 8, true},
        {100000001, UINT64_MAX, 8, false},
        {UINT64_MAX, UINT64_MAX, 8, false},
        {UINT64_MAX - 7, 100, 8, false},
        {UINT64_C(1) << 63, UINT64_MAX, 8, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t prefix[8];
        size_t size = 77;

        for (int b = 0; b < 8; b++)
            prefix[b] = (uint8_t)(rows[i].length >> 8 * b);
        assert_int_equal(api_safetensors_header_size(bytes_of(prefix, rows[i].prefix),
                                                     rows[i].file_size, &size, NULL),
                         rows[i].good ? OK : ERR_INVALID_ARGUMENT);
        assert_true(size == (rows[i].good ? rows[i].length : 77));
    }
}

static void
headers_cut_anywhere_are_refused(void **state)
{
    static const char json[] =
        "{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],"
        "\"data_offsets\":[0,8]}}";
    struct api_safetensors_header header;
    char cut[sizeof json];

    (void)state;
    for (size_t size = 0; size < sizeof json - 1; size++) {
        AUTO(arena) arena = {0};

        memcpy(cut, json, size);
        cut[size] = '\0';
        assert_int_equal(decode_text(cut, 8, &arena, &header, NULL), ERR_INVALID_ARGUMENT);
    }
}

static void
many_tensors_are_read_and_too_many_refused(void **state)
{
    AUTO(buf) json = {0};
    AUTO(arena) arena = {0};
    struct api_safetensors_header header;

    (void)state;
    buf_init(&json, 1 << 24);
    assert_int_equal(buf_append_byte(&json, '{', NULL), OK);
    for (int i = 0; i < 100002; i++) {
        assert_int_equal(
            buf_printf(&json, NULL,
                       "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                       i == 0 ? "" : ",", i, 4999 - i, 5000 - i),
            OK);
        if (i == 4999) {
            assert_int_equal(buf_append_byte(&json, '}', NULL), OK);
            arena_init(&arena, ARENA_BYTES);
            assert_int_equal(api_safetensors_decode(buf_bytes(&json), 5000, &arena, &header, NULL),
                             OK);
            assert_int_equal(header.count, 5000);
            assert_true(bytes_equal(header.entries[0].name, bytes_of_text("4999")));
            arena_drop(&arena);
            json.size--;
        }
    }
    assert_int_equal(buf_append_byte(&json, '}', NULL), OK);
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(api_safetensors_decode(buf_bytes(&json), 5000, &arena, &header, NULL),
                     ERR_INVALID_ARGUMENT);
}

static void
a_small_arena_is_a_refusal(void **state)
{
    AUTO(arena) arena = {0};
    struct api_safetensors_header header;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&arena, 64);
    assert_int_equal(
        api_safetensors_decode(
            bytes_of_text("{\"w\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}"), 1,
            &arena, &header, &err),
        ERR_PAYLOAD_TOO_LARGE);
}

static void
every_failing_allocation_is_reported(void **state)
{
    static const char json[] =
        "{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],"
        "\"data_offsets\":[0,8]}}";
    struct api_safetensors_header header;
    uint64_t count;

    (void)state;
    {
        AUTO(arena) arena = {0};

        mem_fail_at(UINT64_MAX, 0);
        assert_int_equal(decode_text(json, 8, &arena, &header, NULL), OK);
        count = mem_fail_at(0, 0);
    }
    for (uint64_t n = 1; n <= count; n++) {
        AUTO(arena) arena = {0};
        struct err err = ERR_INIT;

        mem_fail_at(n, 0);
        assert_int_equal(decode_text(json, 8, &arena, &header, &err), ERR_NO_MEMORY);
        mem_fail_at(0, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_files_load_bit_for_bit),
        cmocka_unit_test(malformed_files_are_refused_as_their_manifest_says),
        cmocka_unit_test(every_broken_rule_is_named_with_the_tensor),
        cmocka_unit_test(legal_oddities_are_accepted),
        cmocka_unit_test(empty_metadata_is_no_tensor),
        cmocka_unit_test(header_lengths_are_checked_against_the_file),
        cmocka_unit_test(headers_cut_anywhere_are_refused),
        cmocka_unit_test(many_tensors_are_read_and_too_many_refused),
        cmocka_unit_test(a_small_arena_is_a_refusal),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
