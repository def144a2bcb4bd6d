/* Runs of bytes of files, sets of them by name, layouts of what is sent, and where it is from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/file/file_set.h"
#include "api/guard/origin.h"
#include "api/wire/layout.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { ARENA_BYTES = 1 << 20 };

static struct api_file
file_of(const char *text)
{
    size_t size = strlen(text);
    int descriptor = memfd_create("test", MFD_CLOEXEC);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, size), size);
    return (struct api_file){descriptor, 0, size};
}

static void
a_part_is_read_at_any_place_and_nothing_past_it(void **state)
{
    struct api_file file = file_of("0123456789"), part, inner;
    struct err err = ERR_INIT;
    char got[8] = "";

    (void)state;
    assert_int_equal(api_file_part(&file, 2, 6, &part, &err), OK);
    assert_int_equal(api_file_part(&part, 1, 3, &inner, &err), OK);
    assert_int_equal(api_file_read(&part, 0, got, 6, &err), OK);
    assert_memory_equal(got, "234567", 6);
    assert_int_equal(api_file_read(&inner, 1, got, 2, &err), OK);
    assert_memory_equal(got, "45", 2);
    assert_int_equal(api_file_read(&inner, 3, got, 0, &err), OK);
    assert_int_equal(api_file_read(&inner, 2, got, 2, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "2 bytes at offset 2 are not inside a file of 3 bytes"));
    err_clear(&err);
    assert_int_equal(api_file_part(&part, UINT64_MAX, 2, &inner, &err), ERR_INVALID_ARGUMENT);
    err_clear(&err);
    assert_int_equal(api_file_part(&part, 1, UINT64_MAX, &inner, &err), ERR_INVALID_ARGUMENT);
    err_clear(&err);
    assert_int_equal(ftruncate(file.descriptor, 4), 0); /* somebody cuts it */
    assert_int_equal(api_file_read(&part, 0, got, 6, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "ends at byte"));
    close(file.descriptor);
}

static void
a_stream_gives_all_of_it_and_then_nothing(void **state)
{
    struct api_file_stream stream = {.file = file_of("abcdefg")};
    struct api_byte_source source = api_file_source(&stream);
    struct err err = ERR_INIT;
    char got[8];
    size_t size = 9;

    (void)state;
    assert_int_equal(api_byte_source_exactly(&source, "it", "a head", got, 3, &err), OK);
    assert_memory_equal(got, "abc", 3);
    assert_int_equal(api_byte_source_end(&source, "it", "its head", &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "it goes on after its head");
    err_clear(&err);
    assert_int_equal(api_byte_source_exactly(&source, "it", "a body", got, 4, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "it ends after 3 of 4 bytes of a body");
    err_clear(&err);
    assert_int_equal(source.read(source.context, got, 1, &size, &err), OK);
    assert_int_equal(size, 0);
    assert_int_equal(api_byte_source_end(&source, "it", "all", &err), OK);
    close(stream.file.descriptor);
}

static void
files_are_found_by_name(void **state)
{
    AUTO(arena) arena;
    struct api_file_set set = {0};
    struct err err = ERR_INIT;
    char name[16];

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    assert_null(api_file_set_find(&set, bytes_of_text("x")));
    for (int i = 40; i-- > 0;) {
        struct api_file file = {.size = (uint64_t)i};

        snprintf(name, sizeof name, "m.%d", i);
        assert_int_equal(api_file_set_add(&set, &arena, bytes_of_text(name), &file, &err), OK);
    }
    assert_int_equal(api_file_set_sort(&set, &err), OK);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "m.%d", i);
        assert_int_equal(api_file_set_find(&set, bytes_of_text(name))->size, i);
    }
    assert_null(api_file_set_find(&set, bytes_of_text("m.")));
    assert_null(api_file_set_find(&set, bytes_of_text("m.40")));
    assert_int_equal(
        api_file_set_add(&set, &arena, bytes_of_text("m.7"), &set.entries[0].file, &err), OK);
    assert_int_equal(api_file_set_sort(&set, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "two files have the name 'm.7'");
}

static void
a_layout_keeps_its_files_and_spans_in_order(void **state)
{
    AUTO(arena) arena;
    struct api_layout layout;
    char copied[] = "copied";
    size_t span = 0;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    api_layout_init(&layout, &arena);
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(api_layout_file(&layout, i % 2 ? "odd" : "even", NULL), OK);
        assert_int_equal(api_layout_lend(&layout, bytes_of_text("lent"), NULL), OK);
        assert_int_equal(api_layout_lend(&layout, bytes_of("", 0), NULL), OK);
        if (i % 2)
            assert_int_equal(api_layout_copy(&layout, bytes_of_text(copied), NULL), OK);
    }
    memset(copied, 'x', sizeof copied);
    assert_int_equal(layout.file_count, 30);
    for (size_t i = 0; i < 30; i++) {
        const struct api_layout_file *file = &layout.files[i];

        assert_string_equal(file->name, i % 2 ? "odd" : "even");
        assert_int_equal(file->span_first, span);
        assert_int_equal(file->span_count, i % 2 ? 2 : 1);
        assert_int_equal(file->size, i % 2 ? 10 : 4);
        assert_memory_equal(layout.spans[span].data, "lent", 4);
        if (i % 2)
            assert_memory_equal(layout.spans[span + 1].data, "copied", 6);
        span += file->span_count;
    }
    assert_int_equal(layout.span_count, span);
}

static void
a_layout_knows_the_sums_of_what_is_copied_or_has_one(void **state)
{
    struct bytes spans[] = {bytes_of("abc", 3), bytes_of("defg", 4), bytes_of("hi", 2)};
    struct tensor_set_entry entries[] = {
        {.size = 7, .span_count = 2, .has_crc32c = true, .crc32c = crc32c(0, "abcdefg", 7)},
        {.size = 2, .span_first = 2, .span_count = 1},
        {.size = 0, .span_first = 3, .has_crc32c = true},
    };
    const struct tensor_set set = {
        .entries = entries, .entry_count = 3, .spans = spans, .span_count = 3};
    AUTO(arena) arena;
    static const uint8_t many[1 << 20];
    struct api_layout layout, wrapped;
    const struct api_layout_file *file;
    uint32_t crc = 0;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    api_layout_init(&layout, &arena);
    assert_int_equal(api_layout_file(&layout, "before", NULL), OK);
    assert_int_equal(api_layout_lend(&layout, bytes_of_text("lent"), NULL), OK);
    assert_int_equal(api_layout_file(&layout, "file", NULL), OK);
    assert_int_equal(api_layout_copy(&layout, bytes_of_text("head"), NULL), OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(api_layout_entry(&layout, &set, i, NULL), OK);
    api_layout_init(&wrapped, &arena);
    assert_int_equal(api_layout_file(&wrapped, "archive", NULL), OK);
    assert_int_equal(api_layout_lend_file(&wrapped, &layout, 1, NULL), OK);
    file = &wrapped.files[0];
    assert_int_equal(file->size, 13);
    assert_int_equal(file->span_count, 4);
    assert_int_equal(file->sum_count, 3);
    assert_true(api_sums_crc32c(wrapped.sums, 3, (struct api_range){0, 11}, &crc));
    assert_int_equal(crc, crc32c(0, "headabcdefg", 11));
    assert_false(api_sums_crc32c(wrapped.sums, 3, (struct api_range){0, 13}, &crc));
    assert_int_equal(layout.files[0].sum_count, 1);
    assert_int_equal(layout.files[1].sum_first, 1);
    assert_memory_equal(wrapped.spans[2].data, "defg", 4);
    assert_true(layout.sums[0].has_crc32c); /* so little is looked at */
    assert_int_equal(api_layout_lend(&layout, bytes_of(many, sizeof many), NULL), OK);
    assert_false(layout.sums[layout.sum_count - 1].has_crc32c);
}

static void
must_be_pairs(const struct bytes *pairs, size_t count, const char *text)
{
    char out[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < 2 * count; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "%.*s%s", (int)pairs[i].size,
                                 (const char *)pairs[i].data, i % 2 ? " " : "=");
    assert_string_equal(out, text);
}

static void
where_a_set_is_from_goes_before_what_was_imported(void **state)
{
    const struct bytes imported[] = {
        bytes_of_text("step"),  bytes_of_text("9"), bytes_of_text("zeta"), bytes_of_text("z"),
        bytes_of_text("model"), bytes_of_text("x"), bytes_of_text("a"),    bytes_of_text("b")};
    struct api_origin origin = {.model = "m", .revision = UINT64_MAX, .step = INT64_MIN};
    const struct bytes *pairs = NULL;
    AUTO(arena) arena;
    size_t count = 0;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(api_origin_metadata(&origin, NULL, 0, &arena, &pairs, &count, NULL), OK);
    must_be_pairs(pairs, count, "model=m revision=18446744073709551615 ");
    assert_int_equal(api_origin_metadata(&origin, imported, 4, &arena, &pairs, &count, NULL), OK);
    must_be_pairs(pairs, count, "a=b model=m revision=18446744073709551615 step=9 zeta=z ");
    origin.has_step = true;
    assert_int_equal(api_origin_metadata(&origin, imported, 4, &arena, &pairs, &count, NULL), OK);
    must_be_pairs(pairs, count,
                  "a=b model=m revision=18446744073709551615 step=-9223372036854775808 zeta=z ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_read_at_any_place_and_nothing_past_it),
        cmocka_unit_test(a_stream_gives_all_of_it_and_then_nothing),
        cmocka_unit_test(files_are_found_by_name),
        cmocka_unit_test(a_layout_keeps_its_files_and_spans_in_order),
        cmocka_unit_test(a_layout_knows_the_sums_of_what_is_copied_or_has_one),
        cmocka_unit_test(where_a_set_is_from_goes_before_what_was_imported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
