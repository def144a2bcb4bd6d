/* Tables of compressed blocks: what comes out of them, and how much may. */
#include "api/file/sstable_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <snappy-c.h>

#include "store/base/scope.h"
#include "tests/unit/api/sstable_entries.h"
#include "tests/unit/api/sstable_making.h"

static struct files files;

static void
compress(struct bytes contents, struct buf *out)
{
    size_t size = snappy_max_compressed_length(contents.size);
    uint8_t *room;

    buf_init(out, 64 << 20);
    SSTABLE_WORKS(buf_reserve(out, size, &room, NULL));
    assert_int_equal(
        snappy_compress((const char *)contents.data, contents.size, (char *)room, &size),
        SNAPPY_OK);
    buf_commit(out, size);
}

static void
compressed_blocks_are_unpacked(void **state)
{
    enum { VALUE_BYTES = 2 << 20 };
    static uint8_t large[VALUE_BYTES];
    static const uint32_t front = 0;
    AUTO(sstable_making) making;
    AUTO(buf) first = {0};
    AUTO(buf) second = {0};
    AUTO(buf) packed = {0};
    AUTO(buf) packed_too = {0};
    struct sstable_entries *entries;

    (void)state;
    for (size_t i = 0; i < VALUE_BYTES; i++)
        large[i] = (uint8_t)(i * i >> 7);
    sstable_append_two(&first, "b", "d");
    buf_init(&second, 64 << 20);
    sstable_append_entry(&second, 0, bytes_of_text("k"), bytes_of(large, VALUE_BYTES));
    sstable_append_restarts(&second, &front, 1);
    compress(buf_bytes(&first), &packed);
    compress(buf_bytes(&second), &packed_too);
    sstable_making_init(&making);
    sstable_add_block(&making, "d", buf_bytes(&packed), SSTABLE_SNAPPY);
    sstable_add_block(&making, "k", buf_bytes(&packed_too), SSTABLE_SNAPPY);
    assert_int_equal(sstable_entries_read(&files, sstable_end(&making), &entries, NULL), OK);
    assert_int_equal(entries->count, 3);
    assert_true(bytes_equal(entries->keys[1], bytes_of_text("d")));
    assert_true(bytes_equal(entries->values[1], bytes_of_text("value")));
    assert_true(bytes_equal(entries->values[2], bytes_of(large, VALUE_BYTES)));
    sstable_entries_free(entries);
}

static enum err_code
ignore(void *context, const struct api_sstable_entry *entry, struct err *err)
{
    (void)context;
    (void)entry;
    (void)err;
    return OK;
}

static void
what_may_be_unpacked_has_limits(void **state)
{
    AUTO(sstable_making) making;
    AUTO(buf) first = {0};
    AUTO(buf) second = {0};
    AUTO(buf) packed = {0};
    AUTO(buf) packed_too = {0};
    struct api_sstable table = {.scratch = files.scratch};

    (void)state;
    sstable_append_two(&first, "b", "d");
    sstable_append_two(&second, "f", "h");
    compress(buf_bytes(&first), &packed);
    compress(buf_bytes(&second), &packed_too);
    sstable_making_init(&making);
    sstable_add_block(&making, "d", buf_bytes(&packed), SSTABLE_SNAPPY);
    sstable_add_block(&making, "h", buf_bytes(&packed_too), SSTABLE_SNAPPY);
    table.file = files_of(sstable_end(&making));
    table.block_bytes_max = first.size;
    table.unpacked_bytes_max = first.size + second.size;
    assert_int_equal(api_sstable_read(&table, ignore, NULL, NULL), OK);
    table.unpacked_bytes_max--;
    assert_int_equal(api_sstable_read(&table, ignore, NULL, NULL), ERR_PAYLOAD_TOO_LARGE);
    table.unpacked_bytes_max++;
    table.block_bytes_max--;
    assert_int_equal(api_sstable_read(&table, ignore, NULL, NULL), ERR_PAYLOAD_TOO_LARGE);
    close(table.file.descriptor);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_blocks_are_unpacked),
        cmocka_unit_test(what_may_be_unpacked_has_limits),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("sstable_compressed", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
