/* Tables that are broken, each in its way, and tables that are compressed. */
#include "api/file/sstable_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <snappy-c.h>

#include "api/file/crc_mask.h"
#include "api/file/sstable_write.h"
#include "api/file/varint.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/sstable_entries.h"

static struct files files;

static void
expect_refusal(struct bytes table, const char *what, const char *words)
{
    struct sstable_entries *entries;
    struct err err = ERR_INIT;

    if (sstable_entries_read(&files, table, &entries, &err) != ERR_INVALID_ARGUMENT)
        fail_msg("%s is read: %s", what, err.text);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: '%s' lacks '%s'", what, err.text, words);
    sstable_entries_free(entries);
}

/* --- tables made block by block --- */

enum { PLAIN, SNAPPY, OTHER };

struct making {
    struct buf table, index;
    uint32_t restarts[32], restart_count;
};

static void
making_init(struct making *making)
{
    *making = (struct making){.restart_count = 0};
    buf_init(&making->table, 64 << 20);
    buf_init(&making->index, 1 << 20);
}

static void
making_drop(struct making *making)
{
    buf_drop(&making->table);
    buf_drop(&making->index);
}

#define WORKS(call) assert_int_equal((call), OK)

static void
append_entry(struct buf *block, uint32_t shared, struct bytes rest, struct bytes value)
{
    WORKS(api_varint_append(block, shared, NULL));
    WORKS(api_varint_append(block, rest.size, NULL));
    WORKS(api_varint_append(block, value.size, NULL));
    WORKS(buf_append(block, rest.data, rest.size, NULL));
    WORKS(buf_append(block, value.data, value.size, NULL));
}

static void
append_restarts(struct buf *block, const uint32_t *restarts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        WORKS(buf_append_u32(block, restarts[i], NULL));
    WORKS(buf_append_u32(block, count, NULL));
}

/* Contents as they are stored, their type and checksum. Returns where they begin. */
static uint64_t
put_block(struct making *making, struct bytes contents, uint8_t type)
{
    uint64_t begin = making->table.size;
    uint32_t crc = crc32c(crc32c(0, contents.data, contents.size), &type, 1);

    WORKS(buf_append(&making->table, contents.data, contents.size, NULL));
    WORKS(buf_append_byte(&making->table, type, NULL));
    WORKS(buf_append_u32(&making->table, api_crc_mask(crc), NULL));
    return begin;
}

static void
index_block(struct making *making, const char *key, uint64_t offset, uint64_t size)
{
    AUTO(buf) handle = {0};

    buf_init(&handle, 100);
    WORKS(api_varint_append(&handle, offset, NULL));
    WORKS(api_varint_append(&handle, size, NULL));
    making->restarts[making->restart_count++] = (uint32_t)making->index.size;
    append_entry(&making->index, 0, bytes_of_text(key), buf_bytes(&handle));
}

static void
add_block(struct making *making, const char *key, struct bytes contents, uint8_t type)
{
    index_block(making, key, put_block(making, contents, type), contents.size);
}

static struct bytes
end_table(struct making *making)
{
    static const uint8_t magic[] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    uint64_t metaindex = put_block(making, bytes_of("\0\0\0\0\1\0\0\0", 8), PLAIN), index;
    size_t footer;

    append_restarts(&making->index, making->restarts, making->restart_count);
    index = put_block(making, buf_bytes(&making->index), PLAIN);
    footer = making->table.size;
    WORKS(api_varint_append(&making->table, metaindex, NULL));
    WORKS(api_varint_append(&making->table, 8, NULL));
    WORKS(api_varint_append(&making->table, index, NULL));
    WORKS(api_varint_append(&making->table, making->index.size, NULL));
    while (making->table.size < footer + 40)
        WORKS(buf_append_byte(&making->table, 0, NULL));
    WORKS(buf_append(&making->table, magic, sizeof magic, NULL));
    return buf_bytes(&making->table);
}

/* --- one block that is wrong --- */

struct entry {
    uint32_t shared;
    const char *rest, *value;
};

static void
blocks_that_readers_could_disagree_on_are_refused(void **state)
{
    static const struct {
        struct entry entries[4];
        size_t count;
        uint32_t restarts[4], restart_count;
        const char *words; /* NULL: it is right */
    } blocks[] = {
        {{{0, "a", "1"}, {1, "b", "2"}, {0, "b", "3"}}, 3, {0, 10}, 2, NULL},
        {{{0, "a", "1"}, {1, "b", "2"}, {0, "b", "3"}}, 3, {0}, 1, NULL},
        {{{0, "a", "1"}}, 1, {0}, 0, "entries and no restarts"},
        {{{0, NULL, NULL}}, 0, {0}, 1, NULL},
        {{{0, NULL, NULL}}, 0, {0}, 0, NULL},
        {{{0, NULL, NULL}}, 0, {7}, 1, "restart that is not at an entry"},
        {{{0, NULL, NULL}}, 0, {0, 0}, 2, "restart that is not at an entry"},
        {{{1, "a", "1"}}, 1, {0}, 1, "restart at an entry that shares"},
        {{{0, "a", "1"}, {2, "b", "2"}}, 2, {0}, 1, "shares more of the key before"},
        {{{0, "a", "1"}, {1, "b", "2"}}, 2, {0, 5}, 2, "restart at an entry that shares"},
        {{{0, "a", "1"}, {0, "b", "2"}}, 2, {0, 4}, 2, "restart that is not at an entry"},
        {{{0, "a", "1"}, {0, "b", "2"}}, 2, {0, 0}, 2, "restart that is not at an entry"},
        {{{0, "a", "1"}, {0, "b", "2"}}, 2, {0, 10}, 2, "restart that is not at an entry"},
        {{{0, "a", "1"}, {0, "b", "2"}}, 2, {0, UINT32_MAX}, 2, "not at an entry"},
        {{{0, "a", "1"}, {0, "b", "2"}}, 2, {5, 0}, 2, "restart that is not at an entry"},
        {{{0, "b", "1"}, {0, "a", "2"}}, 2, {0}, 1, "not after the one before"},
        {{{0, "a", "1"}, {0, "a", "2"}}, 2, {0}, 1, "not after the one before"},
        {{{0, "a", "1"}, {1, "", "2"}}, 2, {0}, 1, "not after the one before"},
        {{{0, "ab", "1"}, {1, "a", "2"}}, 2, {0}, 1, "not after the one before"},
        {{{0, "", "1"}, {0, "", "2"}}, 2, {0}, 1, "not after the one before"},
        {{{0, "", "1"}, {0, "a", "2"}}, 2, {0}, 1, NULL},
        {{{0, "~a", "1"}}, 1, {0}, 1, "index has elsewhere"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        AUTO(making) making;
        AUTO(buf) block = {0};
        struct sstable_entries *entries;
        struct err err = ERR_INIT;
        char what[32];

        making_init(&making);
        buf_init(&block, 1000);
        for (size_t e = 0; e < blocks[i].count; e++)
            append_entry(&block, blocks[i].entries[e].shared,
                         bytes_of_text(blocks[i].entries[e].rest),
                         bytes_of_text(blocks[i].entries[e].value));
        append_restarts(&block, blocks[i].restarts, blocks[i].restart_count);
        add_block(&making, "~", buf_bytes(&block), PLAIN);
        snprintf(what, sizeof what, "block %zu", i);
        if (blocks[i].words != NULL) {
            expect_refusal(end_table(&making), what, blocks[i].words);
            continue;
        }
        if (sstable_entries_read(&files, end_table(&making), &entries, &err) != OK)
            fail_msg("%s: %s", what, err.text);
        assert_int_equal(entries->count, blocks[i].count);
        sstable_entries_free(entries);
    }
}

/* Contents given byte by byte. */
static void
blocks_of_odd_bytes_are_refused(void **state)
{
#define CONTENTS(text)                                                                             \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
    static const struct {
        struct bytes contents;
        uint8_t type;
        const char *words;
    } blocks[] = {
        {CONTENTS(""), PLAIN, "too short for its number of restarts"},
        {CONTENTS("\1\0\0"), PLAIN, "too short for its number of restarts"},
        {CONTENTS("\1\0\0\0"), PLAIN, "has 4 bytes and 1 restarts"},
        {CONTENTS("\0\0\0\0\xff\xff\xff\x3f"), PLAIN, "1073741823 restarts"},
        {CONTENTS("\0\0\0\0\1\0\0\0"), OTHER, "neither plain nor snappy"},
        {CONTENTS("\0"), SNAPPY, "too short for its number"},
        {CONTENTS("\x7f\0"), SNAPPY, "and is not"},
        {CONTENTS("\xff\xff\xff\xff\xff\0"), SNAPPY, "and is not"},
        {CONTENTS(""), SNAPPY, "and is not"},
        {CONTENTS("\xff\xff\xff\xff\x0f\0\0\0\0\0"), SNAPPY, "unpack to 4294967295"},
        /* One literal byte, then a copy of 4 from offset 0, and from before the beginning. */
        {CONTENTS("\x05\0a\1\0"), SNAPPY, "and is not"},
        {CONTENTS("\x05\0a\1\2"), SNAPPY, "and is not"},
        {CONTENTS("\x06\0a\1\1"), SNAPPY, "and is not"},
        {CONTENTS("\x04\0a\1\1"), SNAPPY, "and is not"},
        /* Sizes of entries. */
        {CONTENTS("\0\0\0\0\0\0\1\0\0\0"), PLAIN, "32 bits, or none"},
        {CONTENTS("\x80\x80\x80\x80\x80\0\0\0\0\0\0\1\0\0\0"), PLAIN, "32 bits, or none"},
        {CONTENTS("\0\x80\x80\x80\x80\x10\0\0\0\0\0\1\0\0\0"), PLAIN, "32 bits, or none"},
        {CONTENTS("\0\2\0a\0\0\0\0\1\0\0\0"), PLAIN, "runs past the end"},
        {CONTENTS("\0\1\1a\0\0\0\0\1\0\0\0"), PLAIN, "runs past the end"},
        /* Together they wrap in 32 bits. */
        {CONTENTS("\0\1\xff\xff\xff\xff\x0f"
                  "a\0\0\0\0\1\0\0\0"),
         PLAIN, "runs past the end"},
        {CONTENTS("\0\xff\xff\xff\xff\x0f\2a\0\0\0\0\1\0\0\0"), PLAIN, "runs past the end"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        AUTO(making) making;
        char what[32];

        making_init(&making);
        add_block(&making, "~", blocks[i].contents, blocks[i].type);
        snprintf(what, sizeof what, "contents %zu", i);
        expect_refusal(end_table(&making), what, blocks[i].words);
    }
}

/* --- blocks among one another --- */

static void
append_block(struct buf *block, const char *first, const char *second)
{
    static const uint32_t front = 0;

    buf_init(block, 1000);
    append_entry(block, 0, bytes_of_text(first), bytes_of_text("value"));
    append_entry(block, 0, bytes_of_text(second), bytes_of_text("value"));
    append_restarts(block, &front, 1);
}

static void
the_index_says_where_keys_are(void **state)
{
    static const struct {
        const char *first_key, *second_key; /* in the index; blocks have b d, f h */
        const char *words;
    } cases[] = {
        {"d", "h", NULL},        {"e", "i", NULL},        {"ezz", "h", NULL},
        {"c", "i", "elsewhere"}, {"f", "i", "elsewhere"}, {"e", "g", "elsewhere"},
        {"i", "e", "not after"}, {"e", "e", "not after"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(making) making;
        AUTO(buf) first = {0};
        AUTO(buf) second = {0};
        struct sstable_entries *entries;

        making_init(&making);
        append_block(&first, "b", "d");
        append_block(&second, "f", "h");
        add_block(&making, cases[i].first_key, buf_bytes(&first), PLAIN);
        add_block(&making, cases[i].second_key, buf_bytes(&second), PLAIN);
        if (cases[i].words != NULL) {
            expect_refusal(end_table(&making), cases[i].second_key, cases[i].words);
            continue;
        }
        assert_int_equal(sstable_entries_read(&files, end_table(&making), &entries, NULL), OK);
        assert_int_equal(entries->count, 4);
        sstable_entries_free(entries);
    }
}

static void
handles_are_inside_the_file_and_in_order(void **state)
{
    static const struct {
        uint64_t offset, size;
        const char *words;
    } handles[] = {
        {0, UINT64_MAX, "its handle of a block"},
        {UINT64_MAX - 15, 32, "its handle of a block"},
        {(uint64_t)1 << 63, (uint64_t)1 << 63, "its handle of a block"},
        {0, 100, "its handle of a block"},
        {0, 8, "the one before ends at"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        AUTO(making) making;
        AUTO(buf) block = {0};

        making_init(&making);
        append_block(&block, "b", "d");
        add_block(&making, "e", buf_bytes(&block), PLAIN);
        index_block(&making, "f", handles[i].offset, handles[i].size);
        expect_refusal(end_table(&making), "handle", handles[i].words);
    }
}

/* A block too large to be looked at as a whole: its checksum is still held against all of it. */
static void
large_blocks_are_summed_to_their_end(void **state)
{
    enum { VALUE_BYTES = 3 << 20 };
    static uint8_t value[VALUE_BYTES];
    AUTO(buf) table = {0};
    AUTO(api_sstable_writer) writer = {.offset = 0};

    (void)state;
    buf_init(&table, 64 << 20);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&table));
    WORKS(api_sstable_add(&writer, bytes_of_text("a"), bytes_of(value, VALUE_BYTES), NULL));
    WORKS(api_sstable_finish(&writer, NULL));
    for (size_t at = 100; at < VALUE_BYTES; at += VALUE_BYTES / 7) {
        table.data[at] ^= 1;
        expect_refusal(buf_bytes(&table), "a large block", "has checksum");
        table.data[at] ^= 1;
    }
    table.data[VALUE_BYTES + 6 + 8 + 1] ^= 1; /* the checksum itself */
    expect_refusal(buf_bytes(&table), "a large block", "has checksum");
}

/* --- every byte of a small table --- */

static void
no_byte_that_matters_can_be_another(void **state)
{
    AUTO(buf) table = {0};
    AUTO(api_sstable_writer) writer = {.offset = 0};
    size_t footer;

    (void)state;
    buf_init(&table, 1000);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&table));
    WORKS(api_sstable_add(&writer, bytes_of_text(""), bytes_of_text("header"), NULL));
    WORKS(api_sstable_add(&writer, bytes_of_text("a"), bytes_of_text("value"), NULL));
    WORKS(api_sstable_add(&writer, bytes_of_text("ab"), bytes_of_text("other"), NULL));
    WORKS(api_sstable_finish(&writer, NULL));
    footer = table.size - 48;
    for (size_t size = 0; size < table.size; size++)
        expect_refusal(bytes_of(table.data, size), "a cut table", "");
    for (size_t at = 0; at < table.size; at++)
        for (uint8_t change = 1; change != 0; change = (uint8_t)(change << 1)) {
            struct sstable_entries *entries;
            enum err_code code;
            /* Nobody reads the metaindex block, nor what follows the handles. */
            bool unread =
                (at >= footer - 18 - 24 && at < footer) || (at >= footer && at < table.size - 8);

            table.data[at] ^= change;
            code = sstable_entries_read(&files, buf_bytes(&table), &entries, NULL);
            if (code == OK ? !unread : code != ERR_INVALID_ARGUMENT)
                fail_msg("byte %zu changed by %u: %d", at, change, code);
            sstable_entries_free(entries);
            table.data[at] ^= change;
        }
}

/* --- compressed blocks --- */

static void
compress(struct bytes contents, struct buf *out)
{
    size_t size = snappy_max_compressed_length(contents.size);
    uint8_t *room;

    buf_init(out, 64 << 20);
    WORKS(buf_reserve(out, size, &room, NULL));
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
    AUTO(making) making;
    AUTO(buf) first = {0};
    AUTO(buf) second = {0};
    AUTO(buf) packed = {0};
    AUTO(buf) packed_too = {0};
    struct sstable_entries *entries;

    (void)state;
    for (size_t i = 0; i < VALUE_BYTES; i++)
        large[i] = (uint8_t)(i * i >> 7);
    append_block(&first, "b", "d");
    buf_init(&second, 64 << 20);
    append_entry(&second, 0, bytes_of_text("k"), bytes_of(large, VALUE_BYTES));
    append_restarts(&second, &front, 1);
    compress(buf_bytes(&first), &packed);
    compress(buf_bytes(&second), &packed_too);
    making_init(&making);
    add_block(&making, "d", buf_bytes(&packed), SNAPPY);
    add_block(&making, "k", buf_bytes(&packed_too), SNAPPY);
    assert_int_equal(sstable_entries_read(&files, end_table(&making), &entries, NULL), OK);
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
    AUTO(making) making;
    AUTO(buf) first = {0};
    AUTO(buf) second = {0};
    AUTO(buf) packed = {0};
    AUTO(buf) packed_too = {0};
    struct api_sstable table = {.scratch = files.scratch};

    (void)state;
    append_block(&first, "b", "d");
    append_block(&second, "f", "h");
    compress(buf_bytes(&first), &packed);
    compress(buf_bytes(&second), &packed_too);
    making_init(&making);
    add_block(&making, "d", buf_bytes(&packed), SNAPPY);
    add_block(&making, "h", buf_bytes(&packed_too), SNAPPY);
    table.file = files_of(end_table(&making));
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

/* --- files that are broken on purpose --- */

static void
broken_files_are_refused(void **state)
{
    static const struct {
        const char *folder, *words;
    } broken[] = {
        {"index-empty", "too few for the footer"},
        {"index-truncated-footer", "does not end as a table does"},
        {"index-bad-magic", "does not end as a table does"},
        {"block-crc", "has checksum"},
        {"block-not-snappy", "and is not"},
        {"snappy-4gib", "unpack to 4294967295"},
        {"snappy-offset-0", "and is not"},
        {"handle-wraps", "its handle of a block"},
        {"restarts-huge", "restarts"},
        {"entry-shared-too-long", "shares"},
        {"keys-out-of-order", "not after the one before"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct fixture_file file;
        char path[256];

        snprintf(path, sizeof path, "tests/fixtures/malformed/tf-v2/%s/m.index", broken[i].folder);
        file = fixture_read(path);
        expect_refusal(bytes_of(file.data, file.size), broken[i].folder, broken[i].words);
        free(file.data);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_that_readers_could_disagree_on_are_refused),
        cmocka_unit_test(blocks_of_odd_bytes_are_refused),
        cmocka_unit_test(the_index_says_where_keys_are),
        cmocka_unit_test(handles_are_inside_the_file_and_in_order),
        cmocka_unit_test(large_blocks_are_summed_to_their_end),
        cmocka_unit_test(no_byte_that_matters_can_be_another),
        cmocka_unit_test(compressed_blocks_are_unpacked),
        cmocka_unit_test(what_may_be_unpacked_has_limits),
        cmocka_unit_test(broken_files_are_refused),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("sstable_read", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
