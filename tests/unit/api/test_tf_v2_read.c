/* V2 checkpoints that are read: which files they are, what headers may say, and data that is not
 * what the index says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/api/tf_v2_small.h"

static struct files files;

static void
expect_small(const struct wire_files *w)
{
    const struct api_wire_catalog *catalog = &w->reader.catalog;

    assert_int_equal(catalog->count, 4);
    assert_int_equal(catalog->shards, 2);
    /* In the order of the data. */
    assert_true(bytes_equal(catalog->tensors[0].name, bytes_of_text("b")));
    assert_true(bytes_equal(catalog->tensors[1].name, bytes_of_text("c")));
    assert_true(bytes_equal(catalog->tensors[2].name, bytes_of_text("d")));
    assert_true(bytes_equal(catalog->tensors[3].name, bytes_of_text("a")));
    assert_int_equal(catalog->tensors[2].shard, 0);
    assert_int_equal(catalog->tensors[3].shard, 1);
    assert_true(bytes_equal(w->values[0], bytes_of("\2\0\0\0hi\0\0\0\0\5\0\0\0there", 19)));
    assert_int_equal(w->values[1].size, 0);
    assert_true(bytes_equal(w->values[2], bytes_of("\x78\x56\x34\x12", 4)));
    assert_true(bytes_equal(w->values[3], bytes_of(making_six, sizeof making_six)));
}

/* --- which files --- */

struct name_case {
    const char *prefixes[3]; /* of checkpoints that are there */
    const char *asked;
    const char *state; /* what a state file says, NULL: there is none */
    const char *found; /* NULL: an error with these words */
    const char *words;
};

static void
try_name(const struct name_case *c)
{
    struct making *m = making_small(false);
    struct api_tf_v2_files found;
    struct err err = ERR_INIT;
    AUTO(wire_files) w;

    wire_files_init(&w, &files);
    making_header(m, 2, 0);
    for (size_t i = 0; i < 3 && c->prefixes[i] != NULL; i++)
        making_files_of(m, &w, c->prefixes[i], 2);
    if (c->state != NULL)
        wire_files_add(&w, strstr(c->prefixes[0], "/") != NULL ? "dir/checkpoint" : "checkpoint",
                       bytes_of_text(c->state));
    wire_files_add(&w, "notes.txt", bytes_of_text("nothing"));
    w.input.prefix = c->asked;
    assert_int_equal(api_file_set_sort(&w.set, NULL), OK);
    assert_true(api_tf_v2_claims(&w.input) ==
                (c->prefixes[0] != NULL &&
                 (c->words == NULL || strstr(c->words, "no checkpoint") == NULL)));
    if (c->found == NULL) {
        assert_int_equal(api_tf_v2_find(&w.input, &found, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, c->words) == NULL)
            fail_msg("'%s' lacks '%s'", err.text, c->words);
    } else {
        if (making_read(&w, &err) != OK)
            fail_msg("%s: %s", c->found, err.text);
        assert_int_equal(api_tf_v2_find(&w.input, &found, NULL), OK);
        assert_true(bytes_equal(found.prefix, bytes_of_text(c->found)));
        expect_small(&w);
    }
    making_end(m);
}

static void
one_checkpoint_is_found_among_the_files(void **state)
{
    static const struct name_case cases[] = {
        {{"model.ckpt-7"}, NULL, NULL, "model.ckpt-7", NULL},
        {{"dir/model.ckpt-7"}, NULL, NULL, "dir/model.ckpt-7", NULL},
        {{"./model.ckpt-7"}, "model.ckpt-7", NULL, "./model.ckpt-7", NULL},
        {{"a", "b"}, "b", NULL, "b", NULL},
        {{"dir/a", "dir/b"}, "a", NULL, "dir/a", NULL},
        {{"dir/a", "dir/b"}, "dir/b", NULL, "dir/b", NULL},
        {{"dir/a", "dir/xa"}, "a", NULL, "dir/a", NULL},
        {{"a", "b"}, NULL, "model_checkpoint_path: \"b\"", "b", NULL},
        {{"dir/a", "dir/b"}, NULL, "model_checkpoint_path: \"/gone/b\"", "dir/b", NULL},
        {{"a", "b"}, "a", "model_checkpoint_path: \"b\"", "a", NULL},
        {{"a", "b"},
         NULL,
         "model_checkpoint_path: \"c\"",
         NULL,
         "several checkpoints, among them "
         "'a' and 'b'"},
        {{"a", "b"}, NULL, "model_checkpoint_path: \"", NULL, "several checkpoints"},
        {{"a", "b", "c"}, NULL, NULL, NULL, "several checkpoints"},
        {{"x/a", "y/a"}, "a", NULL, NULL, "several checkpoints, among them 'x/a' and 'y/a'"},
        {{"a"}, "b", NULL, NULL, "no checkpoint 'b'"},
        {{NULL}, NULL, NULL, NULL, "ends in .index"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        try_name(&cases[i]);
}

/* A second file of that name which is no index is in nobody's way. */
static void
a_file_that_is_only_called_so_is_passed_over(void **state)
{
    struct making *m = making_small(false);
    AUTO(wire_files) w;

    (void)state;
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    wire_files_add(&w, "a.index", bytes_of_text("of a book"));
    assert_int_equal(making_read(&w, NULL), OK);
    expect_small(&w);
    making_end(m);
}

/* --- headers --- */

static void
headers_are_held_to_what_they_can_say(void **state)
{
    static const struct {
        uint64_t shards, endianness;
        const char *words;
    } headers[] = {
        {0, 0, "there are 0 data files"},
        {(uint64_t)-1, 0, "there are -1 data files"},
        {INT32_MAX, 0, "there are 2147483647 data files"},
        {100000, 0, "there are 100000 data files"},
        {1, 0, "it is in data file 1, there are 1"},
        {3, 0, "'model.data-00001-of-00003' that it is in is missing"},
        {2, 2, "byte order is 2"},
        {2, (uint64_t)-1, "byte order is -1"},
        {2, 1, "checksum"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct making *m = making_small(false);
        AUTO(wire_files) w;

        wire_files_init(&w, &files);
        making_header(m, headers[i].shards, headers[i].endianness);
        making_files_of(m, &w, "model", headers[i].shards == 3 ? 4 : 2);
        making_expect_error(&w, headers[i].words);
        making_end(m);
    }
}

/* The header of a merged checkpoint counts parts that hold nothing; the files do not. */
static void
a_merged_checkpoint_may_have_fewer_files_than_its_header_says(void **state)
{
    struct making *m = making_small(false), *other = making_small(false);
    AUTO(wire_files) w;
    AUTO(wire_files) mixed;

    (void)state;
    making_header(m, 5, 0);
    making_header(other, 5, 0);
    wire_files_init(&w, &files);
    making_files_of(m, &w, "model", 2);
    assert_int_equal(making_read(&w, NULL), OK);
    expect_small(&w);
    /* Two sets of files: which one would be a guess. */
    wire_files_init(&mixed, &files);
    making_files_of(other, &mixed, "model", 2);
    wire_files_add(&mixed, "model.data-00000-of-00001", bytes_of_text("more"));
    making_expect_error(&mixed, "of-00005' that it is in is missing");
    making_end(m);
    making_end(other);
}

static void
an_index_begins_with_a_header(void **state)
{
    struct making *m = making_small(false);
    AUTO(wire_files) w;

    (void)state;
    wire_files_init(&w, &files);
    making_files_of(m, &w, "model", 2);
    making_expect_error(&w, "the index: it is a table without the header");
    making_end(m);
}

/* --- data --- */

/* Whichever byte of the data is another: it is noticed. */
static void
every_byte_of_the_data_is_summed(void **state)
{
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++)
        for (uint32_t shard = 0; shard < 2; shard++) {
            size_t size = 0;

            for (size_t at = 0; at == 0 || at < size; at++) {
                struct making *m = making_small(big_endian == 1);
                AUTO(wire_files) w;

                size = m->data[shard].size;
                m->data[shard].data[at] ^= 4;
                wire_files_init(&w, &files);
                making_files(m, &w, "model");
                making_expect_error(&w, "");
                making_end(m);
            }
        }
}

static void
short_data_files_are_refused(void **state)
{
    (void)state;
    for (uint32_t shard = 0; shard < 2; shard++) {
        size_t size = 1;

        for (size_t missing = 1; missing <= size; missing++) {
            struct making *m = making_small(false);
            AUTO(wire_files) w;

            size = m->data[shard].size;
            m->data[shard].size -= missing;
            wire_files_init(&w, &files);
            making_files(m, &w, "model");
            making_expect_error(&w, "not inside");
            making_end(m);
        }
    }
}

/* Files in a folder can change while they are read. Whatever comes: an error, and no more. */
static void
data_that_changes_while_it_is_read_is_an_error(void **state)
{
    struct making *m = making_small(false);
    size_t size = m->data[0].size;

    (void)state;
    making_end(m);
    for (size_t at = 0; at < size; at++)
        for (int how = 0; how < 3; how++) {
            AUTO(wire_files) w;
            enum err_code code;
            const struct api_file *file;
            uint8_t byte = how == 0 ? 0 : 0x81;

            m = making_small(false);
            wire_files_init(&w, &files);
            making_files(m, &w, "model");
            assert_int_equal(wire_files_open(&w, &api_wire_tf_v2, NULL), OK);
            file = api_file_set_find(&w.set, bytes_of_text("model.data-00000-of-00002"));
            if (how == 2)
                assert_int_equal(ftruncate(file->descriptor, (off_t)at), 0);
            else
                assert_int_equal(pwrite(file->descriptor, &byte, 1, (off_t)at), 1);
            code = wire_files_read(&w, 3, NULL);
            assert_true(code == OK || code == ERR_INVALID_ARGUMENT);
            making_end(m);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_checkpoint_is_found_among_the_files),
        cmocka_unit_test(a_file_that_is_only_called_so_is_passed_over),
        cmocka_unit_test(headers_are_held_to_what_they_can_say),
        cmocka_unit_test(a_merged_checkpoint_may_have_fewer_files_than_its_header_says),
        cmocka_unit_test(an_index_begins_with_a_header),
        cmocka_unit_test(every_byte_of_the_data_is_summed),
        cmocka_unit_test(short_data_files_are_refused),
        cmocka_unit_test(data_that_changes_while_it_is_read_is_an_error),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("tf_v2_read", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
