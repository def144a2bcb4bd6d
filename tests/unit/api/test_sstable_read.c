/* Tables that are broken, each in its way. */
#include "api/file/sstable_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/file/crc_mask.h"
#include "api/file/sstable_write.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/sstable_entries.h"
#include "tests/unit/api/sstable_making.h"

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
        AUTO(sstable_making) making;
        AUTO(buf) block = {0};
        struct sstable_entries *entries;
        struct err err = ERR_INIT;
        char what[32];

        sstable_making_init(&making);
        buf_init(&block, 1000);
        for (size_t e = 0; e < blocks[i].count; e++)
            sstable_append_entry(&block, blocks[i].entries[e].shared,
                                 bytes_of_text(blocks[i].entries[e].rest),
                                 bytes_of_text(blocks[i].entries[e].value));
        sstable_append_restarts(&block, blocks[i].restarts, blocks[i].restart_count);
        sstable_add_block(&making, "~", buf_bytes(&block), SSTABLE_PLAIN);
        snprintf(what, sizeof what, "block %zu", i);
        if (blocks[i].words != NULL) {
            expect_refusal(sstable_end(&making), what, blocks[i].words);
            continue;
        }
        if (sstable_entries_read(&files, sstable_end(&making), &entries, &err) != OK)
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
        {CONTENTS(""), SSTABLE_PLAIN, "too short for its number of restarts"},
        {CONTENTS("\1\0\0"), SSTABLE_PLAIN, "too short for its number of restarts"},
        {CONTENTS("\1\0\0\0"), SSTABLE_PLAIN, "has 4 bytes and 1 restarts"},
        {CONTENTS("\0\0\0\0\xff\xff\xff\x3f"), SSTABLE_PLAIN, "1073741823 restarts"},
        {CONTENTS("\0\0\0\0\1\0\0\0"), SSTABLE_OTHER, "neither plain nor snappy"},
        {CONTENTS("\0"), SSTABLE_SNAPPY, "too short for its number"},
        {CONTENTS("\x7f\0"), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS("\xff\xff\xff\xff\xff\0"), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS(""), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS("\xff\xff\xff\xff\x0f\0\0\0\0\0"), SSTABLE_SNAPPY, "unpack to 4294967295"},
        /* One literal byte, then a copy of 4 from offset 0, and from before the beginning. */
        {CONTENTS("\x05\0a\1\0"), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS("\x05\0a\1\2"), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS("\x06\0a\1\1"), SSTABLE_SNAPPY, "and is not"},
        {CONTENTS("\x04\0a\1\1"), SSTABLE_SNAPPY, "and is not"},
        /* Sizes of entries. */
        {CONTENTS("\0\0\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "32 bits, or none"},
        {CONTENTS("\x80\x80\x80\x80\x80\0\0\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "32 bits, or none"},
        {CONTENTS("\0\x80\x80\x80\x80\x10\0\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "32 bits, or none"},
        {CONTENTS("\0\2\0a\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "runs past the end"},
        {CONTENTS("\0\1\1a\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "runs past the end"},
        /* Together they wrap in 32 bits. */
        {CONTENTS("\0\1\xff\xff\xff\xff\x0f"
                  "a\0\0\0\0\1\0\0\0"),
         SSTABLE_PLAIN, "runs past the end"},
        {CONTENTS("\0\xff\xff\xff\xff\x0f\2a\0\0\0\0\1\0\0\0"), SSTABLE_PLAIN, "runs past the end"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        AUTO(sstable_making) making;
        char what[32];

        sstable_making_init(&making);
        sstable_add_block(&making, "~", blocks[i].contents, blocks[i].type);
        snprintf(what, sizeof what, "contents %zu", i);
        expect_refusal(sstable_end(&making), what, blocks[i].words);
    }
}

/* --- blocks among one another --- */

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
        AUTO(sstable_making) making;
        AUTO(buf) first = {0};
        AUTO(buf) second = {0};
        struct sstable_entries *entries;

        sstable_making_init(&making);
        sstable_append_two(&first, "b", "d");
        sstable_append_two(&second, "f", "h");
        sstable_add_block(&making, cases[i].first_key, buf_bytes(&first), SSTABLE_PLAIN);
        sstable_add_block(&making, cases[i].second_key, buf_bytes(&second), SSTABLE_PLAIN);
        if (cases[i].words != NULL) {
            expect_refusal(sstable_end(&making), cases[i].second_key, cases[i].words);
            continue;
        }
        assert_int_equal(sstable_entries_read(&files, sstable_end(&making), &entries, NULL), OK);
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
        AUTO(sstable_making) making;
        AUTO(buf) block = {0};

        sstable_making_init(&making);
        sstable_append_two(&block, "b", "d");
        sstable_add_block(&making, "e", buf_bytes(&block), SSTABLE_PLAIN);
        sstable_index_block(&making, "f", handles[i].offset, handles[i].size);
        expect_refusal(sstable_end(&making), "handle", handles[i].words);
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
    SSTABLE_WORKS(api_sstable_add(&writer, bytes_of_text("a"), bytes_of(value, VALUE_BYTES), NULL));
    SSTABLE_WORKS(api_sstable_finish(&writer, NULL));
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
    SSTABLE_WORKS(api_sstable_add(&writer, bytes_of_text(""), bytes_of_text("header"), NULL));
    SSTABLE_WORKS(api_sstable_add(&writer, bytes_of_text("a"), bytes_of_text("value"), NULL));
    SSTABLE_WORKS(api_sstable_add(&writer, bytes_of_text("ab"), bytes_of_text("other"), NULL));
    SSTABLE_WORKS(api_sstable_finish(&writer, NULL));
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
        cmocka_unit_test(broken_files_are_refused),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("sstable_read", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
