/* The safetensors header we write: as the format's own library does, and what it cannot say. */
#include "api/wire/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/safetensors_whole.h"

static void
files_of_the_formats_own_library_are_written_byte_for_byte(void **state)
{
    static const char *const paths[] = {"tests/fixtures/st-burn-small/complex_nested.safetensors",
                                        "tests/fixtures/st-burn-small/conv2d.safetensors",
                                        "tests/fixtures/st-burn-small/boolean.safetensors",
                                        "tests/fixtures/st-burn-small/integer.safetensors",
                                        "tests/fixtures/st-candle-jfk-codes/jfk-codes.safetensors"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct fixture_file file = fixture_read(paths[i]);
        AUTO(arena) arena = {0};
        AUTO(buf) out = {0};
        struct api_safetensors_header header;
        struct bytes data = {NULL, 0};

        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(
            safetensors_whole(bytes_of(file.data, file.size), &arena, &header, &data, NULL), OK);
        for (size_t j = 0; j < header.count / 2; j++) { /* in another order */
            struct api_safetensors_entry other = header.entries[j];

            header.entries[j] = header.entries[header.count - 1 - j];
            header.entries[header.count - 1 - j] = other;
        }
        buf_init(&out, 1 << 20);
        assert_int_equal(api_safetensors_encode(header.entries, header.count, header.metadata,
                                                header.metadata_count, &out, NULL),
                         OK);
        assert_int_equal(out.size, file.size - data.size);
        assert_memory_equal(out.data, file.data, out.size);
        free(file.data);
    }
}

static void
what_is_written_is_read_back(void **state)
{
    struct api_safetensors_entry entries[] = {
        {.name = bytes_of("b\0\"\\\n\xc3\xa4", 7), .type = {DTYPE_BOOL, {1, {3}}}},
        {.name = bytes_of_text("w"), .type = {DTYPE_FLOAT32, {2, {2, 3}}}},
        {.name = bytes_of_text("c"), .type = {DTYPE_COMPLEX64, {0, {0}}}},
        {.name = bytes_of_text("a"), .type = {DTYPE_FLOAT32, {0, {0}}}},
        {.name = bytes_of_text("f8"), .type = {DTYPE_FLOAT8_E4M3FN, {1, {0}}}},
        {.name = bytes_of_text("i"), .type = {DTYPE_INT64, {0, {0}}}},
    };
    const struct bytes metadata[] = {bytes_of_text("step"), bytes_of_text("10"),
                                     bytes_of_text("format"), bytes_of_text("\x01")};
    static const char *const order[] = {"i", "c", "a", "w", "f8"};
    AUTO(arena) arena = {0};
    AUTO(buf) out = {0};
    struct api_safetensors_header header;
    size_t size = 0;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(buf_append_text(&out, "abc", NULL), OK); /* appended behind what is there */
    assert_int_equal(api_safetensors_encode(entries, 6, metadata, 2, &out, NULL), OK);
    assert_int_equal((out.size - 3) % 8, 0);
    assert_int_equal(
        api_safetensors_header_size(bytes_of(out.data + 3, 8), UINT64_MAX, &size, NULL), OK);
    assert_int_equal(size, out.size - 11);
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(api_safetensors_decode(bytes_of(out.data + 11, size), 8 + 8 + 4 + 24 + 3,
                                            &arena, &header, NULL),
                     OK);
    assert_int_equal(header.count, 6);
    for (size_t i = 0; i < 5; i++)
        assert_true(bytes_equal(entries[i].name, bytes_of_text(order[i])));
    assert_int_equal(entries[5].name.size, 7);
    for (size_t i = 0; i < 6; i++) {
        const struct api_safetensors_entry *entry = safetensors_entry(&header, entries[i].name);

        assert_true(tensor_type_equal(&entry->type, &entries[i].type));
        assert_true(entry->begin == entries[i].begin && entry->end == entries[i].end);
    }
    assert_int_equal(header.metadata_count, 2);
    assert_true(bytes_equal(header.metadata[1], bytes_of_text("\x01")));
}

static void
a_file_without_tensors_is_written(void **state)
{
    AUTO(buf) out = {0};

    (void)state;
    buf_init(&out, 64);
    assert_int_equal(api_safetensors_encode(NULL, 0, NULL, 0, &out, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of("\x08\0\0\0\0\0\0\0{}      ", 16)));
}

static void
what_the_format_cannot_name_is_not_acceptable(void **state)
{
    unsigned written = 0;

    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        struct api_safetensors_entry entry = {.name = bytes_of_text("x"),
                                              .type = {(enum dtype)i, {0, {0}}}};
        AUTO(buf) out = {0};
        struct err err = ERR_INIT;
        enum err_code code;

        buf_init(&out, 256);
        code = api_safetensors_encode(&entry, 1, NULL, 0, &out, &err);
        if (dtype_info((enum dtype)i)->safetensors_name == NULL) {
            assert_int_equal(code, ERR_NOT_ACCEPTABLE);
            assert_non_null(strstr(err.text, dtype_name((enum dtype)i)));
        } else {
            assert_int_equal(code, OK);
            written++;
        }
    }
    assert_int_equal(written, 16);
    for (int i = 0; i < 2; i++) {
        struct api_safetensors_entry entry = {.name =
                                                  bytes_of_text(i == 0 ? "__metadata__" : "\xff"),
                                              .type = {DTYPE_BOOL, {0, {0}}}};
        AUTO(buf) out = {0};

        buf_init(&out, 256);
        assert_int_equal(api_safetensors_encode(&entry, 1, NULL, 0, &out, NULL),
                         ERR_NOT_ACCEPTABLE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_the_formats_own_library_are_written_byte_for_byte),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_file_without_tensors_is_written),
        cmocka_unit_test(what_the_format_cannot_name_is_not_acceptable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
