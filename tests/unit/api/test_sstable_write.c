/* Tables that are written: byte for byte as TensorFlow writes them, and read back. */
#include "api/file/sstable_write.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"
#include "tests/unit/api/sstable_entries.h"

static struct files files;

static void
write_entries(const struct sstable_entries *entries, struct buf *out)
{
    AUTO(api_sstable_writer) writer = {.offset = 0};

    api_sstable_writer_init(&writer, api_sstable_to_buf(out));
    for (size_t i = 0; i < entries->count; i++)
        assert_int_equal(api_sstable_add(&writer, entries->keys[i], entries->values[i], NULL), OK);
    assert_int_equal(api_sstable_finish(&writer, NULL), OK);
}

/* Two float32 scalars, as TensorFlow saved them. */
static const uint8_t known_table[] = {
    0x00, 0x00, 0x06, 0x08, 0x01, 0x1a, 0x02, 0x08, 0x01, 0x00, 0x01, 0x0b, 0x57, 0x08, 0x01,
    0x12, 0x00, 0x28, 0x04, 0x35, 0x74, 0xed, 0x71, 0x6f, 0x00, 0x01, 0x0d, 0x62, 0x08, 0x01,
    0x12, 0x00, 0x20, 0x04, 0x28, 0x04, 0x35, 0xf4, 0xbd, 0x50, 0x83, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0xbc, 0x6c, 0x4d, 0x28, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x00, 0x00, 0xc0, 0xf2, 0xa1, 0xb0, 0x00, 0x01, 0x02, 0x63, 0x00, 0x31, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x54, 0xf2, 0x76, 0x2d, 0x36, 0x08, 0x43, 0x0e,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

static void
a_known_table_comes_out_byte_for_byte(void **state)
{
    struct bytes known = bytes_of(known_table, sizeof known_table);
    struct sstable_entries *entries;
    AUTO(buf) out = {0};

    (void)state;
    assert_int_equal(sizeof known_table, 134);
    assert_int_equal(sstable_entries_read(&files, known, &entries, NULL), OK);
    assert_int_equal(entries->count, 3);
    assert_int_equal(entries->keys[0].size, 0);
    assert_true(bytes_equal(entries->keys[1], bytes_of_text("W")));
    assert_true(bytes_equal(entries->keys[2], bytes_of_text("b")));
    assert_int_equal(entries->values[2].size, 13);
    buf_init(&out, 1000);
    write_entries(entries, &out);
    assert_true(bytes_equal(buf_bytes(&out), known));
    sstable_entries_free(entries);
}

/* Which of the real tables are compressed. */
static bool
is_compressed(const char *path)
{
    return strstr(path, "sonnet") != NULL || strstr(path, "cpu") != NULL ||
           strstr(path, "mnist") != NULL || strstr(path, "optimizer-slot") != NULL;
}

static void
expect_same(const struct sstable_entries *a, const struct sstable_entries *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_true(bytes_equal(a->keys[i], b->keys[i]));
        assert_true(bytes_equal(a->values[i], b->values[i]));
    }
}

static void
expect_real_table(const char *path)
{
    struct fixture_file file = fixture_read(path);
    struct bytes bytes = bytes_of(file.data, file.size);
    struct sstable_entries *entries, *again;
    struct err err = ERR_INIT;
    AUTO(buf) out = {0};

    if (sstable_entries_read(&files, bytes, &entries, &err) != OK)
        fail_msg("%s: %s", path, err.text);
    assert_true(entries->count > 1);
    buf_init(&out, 10 << 20);
    write_entries(entries, &out);
    if (is_compressed(path)) {
        assert_int_equal(sstable_entries_read(&files, buf_bytes(&out), &again, NULL), OK);
        expect_same(entries, again);
        sstable_entries_free(again);
    } else if (!bytes_equal(buf_bytes(&out), bytes)) {
        fail_msg("%s is written otherwise", path);
    }
    sstable_entries_free(entries);
    free(file.data);
}

/* Indexes of V2 and whole V1 files. */
static void
real_tables_come_out_byte_for_byte(void **state)
{
    glob_t found;
    size_t tables = 0;

    (void)state;
    assert_int_equal(glob("tests/fixtures/v2-*/*.index", 0, NULL, &found), 0);
    assert_int_equal(glob("tests/fixtures/v1-*/*model*", GLOB_APPEND, NULL, &found), 0);
    assert_int_equal(glob("tests/fixtures/v1-*/*ckpt*", GLOB_APPEND, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++, tables++)
        if (strstr(found.gl_pathv[i], "many-blocks") == NULL)
            expect_real_table(found.gl_pathv[i]);
    assert_true(tables > 20);
    globfree(&found);
}

/* --- tables by chance --- */

static int
by_bytes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static struct bytes
random_bytes(struct sstable_entries *entries, size_t size, uint32_t alphabet)
{
    uint8_t *bytes = arena_alloc(&entries->arena, size, NULL);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(0x100 - alphabet + random_below(alphabet));
    return bytes_of(bytes, size);
}

static struct sstable_entries *
random_entries(uint32_t count, uint32_t value_size_max)
{
    struct sstable_entries *entries = calloc(1, sizeof *entries);
    size_t kept = 0;

    assert_non_null(entries);
    arena_init(&entries->arena, 256 << 20);
    for (size_t i = 0; i < count; i++)
        entries->keys[i] = random_bytes(entries, random_below(1 + random_below(60)), 3);
    qsort(entries->keys, count, sizeof *entries->keys, by_bytes);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !bytes_equal(entries->keys[kept - 1], entries->keys[i]))
            entries->keys[kept++] = entries->keys[i];
    entries->count = kept;
    for (size_t i = 0; i < kept; i++) {
        uint32_t limit = random_below(8) == 0 ? value_size_max : 1 + value_size_max / 50;

        entries->values[i] = random_bytes(entries, random_below(limit), 256);
    }
    return entries;
}

/* The same bytes in whatever pieces values come, lent or not. */
static void
expect_pieces(const struct sstable_entries *entries, struct bytes expected)
{
    AUTO(api_sstable_writer) writer = {.offset = 0};
    AUTO(buf) written = {0};

    buf_init(&written, expected.size);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&written));
    for (size_t i = 0; i < entries->count; i++) {
        struct bytes left = entries->values[i];

        assert_int_equal(api_sstable_begin(&writer, entries->keys[i], left.size, NULL), OK);
        while (left.size > 0) {
            struct bytes piece = bytes_of(left.data, 1 + random_below((uint32_t)left.size));

            if (random_below(2) == 0)
                assert_int_equal(api_sstable_append(&writer, piece, NULL), OK);
            else
                assert_int_equal(
                    api_sstable_lend(&writer, piece, crc32c(0, piece.data, piece.size), NULL), OK);
            left = bytes_of(left.data + piece.size, left.size - piece.size);
        }
    }
    assert_int_equal(api_sstable_finish(&writer, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&written), expected));
}

static void
what_is_written_is_read_back(void **state)
{
    static const struct {
        uint32_t count, value_size_max;
    } kinds[] = {{0, 1},       {1, 1},       {3, 40},       {2000, 20},
                 {20000, 300}, {60, 300000}, {40, 1200000}, {3, 6000000}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sstable_entries *entries = random_entries(kinds[i].count, kinds[i].value_size_max);
        struct sstable_entries *again;
        struct err err = ERR_INIT;
        AUTO(buf) out = {0};

        buf_init(&out, 200 << 20);
        write_entries(entries, &out);
        if (sstable_entries_read(&files, buf_bytes(&out), &again, &err) != OK)
            fail_msg("%zu: %s", i, err.text);
        expect_same(entries, again);
        expect_pieces(entries, buf_bytes(&out));
        sstable_entries_free(entries);
        sstable_entries_free(again);
    }
}

static void
a_value_that_no_table_can_hold_is_refused(void **state)
{
    AUTO(api_sstable_writer) writer = {.offset = 0};
    AUTO(buf) out = {0};

    (void)state;
    buf_init(&out, 1000);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&out));
    assert_int_equal(api_sstable_begin(&writer, bytes_of_text("a"), (uint64_t)UINT32_MAX + 1, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_table_comes_out_byte_for_byte),
        cmocka_unit_test(real_tables_come_out_byte_for_byte),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_value_that_no_table_can_hold_is_refused),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("sstable_write", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
