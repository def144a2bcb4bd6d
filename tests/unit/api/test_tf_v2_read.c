/* V2 checkpoints that are read: which files they are, what headers and entries may say, and data
 * that is not what the index says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/api/tf_v2_making.h"

static struct files files;

static const uint8_t six[] = {1, 2, 3, 4, 5, 6};
static const struct tensor_type six_bytes = {DTYPE_UINT8, {.rank = 1, .dims = {6}}};

/* Numbers and strings in two shards. */
static struct making *
small_checkpoint(bool big_endian)
{
    static const struct tensor_type strings = {DTYPE_STRING, {.rank = 1, .dims = {3}}};
    static const struct tensor_type empty = {DTYPE_FLOAT64, {.rank = 2, .dims = {0, 7}}};
    static const struct tensor_type scalar = {DTYPE_INT32, {.rank = 0}};
    struct making *m = making_begin(2, big_endian);
    struct making_entry entry;

    entry = making_put(m, &six_bytes, bytes_of(six, sizeof six), 1);
    making_add(m, bytes_of_text("a"), &entry);
    entry = making_put(m, &strings, bytes_of("\2\0\0\0hi\0\0\0\0\5\0\0\0there", 19), 0);
    making_add(m, bytes_of_text("b"), &entry);
    entry = making_put(m, &empty, bytes_of("", 0), 0);
    making_add(m, bytes_of_text("c"), &entry);
    entry = making_put(m, &scalar, bytes_of("\x78\x56\x34\x12", 4), 0);
    making_add(m, bytes_of_text("d"), &entry);
    return m;
}

static enum err_code
read_all(struct wire_files *w, struct err *err)
{
    TRY(wire_files_open(w, &api_wire_tf_v2, err));
    return wire_files_read(w, 0, err);
}

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
    assert_true(bytes_equal(w->values[3], bytes_of(six, sizeof six)));
}

static void
expect_error(struct wire_files *w, const char *words)
{
    struct err err = ERR_INIT;
    enum err_code code = read_all(w, &err);

    if (code != ERR_INVALID_ARGUMENT || strstr(err.text, words) == NULL)
        fail_msg("%d '%s' lacks '%s'", code, err.text, words);
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
    struct making *m = small_checkpoint(false);
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
        if (read_all(&w, &err) != OK)
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
    struct making *m = small_checkpoint(false);
    AUTO(wire_files) w;

    (void)state;
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    wire_files_add(&w, "a.index", bytes_of_text("of a book"));
    assert_int_equal(read_all(&w, NULL), OK);
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
        struct making *m = small_checkpoint(false);
        AUTO(wire_files) w;

        wire_files_init(&w, &files);
        making_header(m, headers[i].shards, headers[i].endianness);
        making_files_of(m, &w, "model", headers[i].shards == 3 ? 4 : 2);
        expect_error(&w, headers[i].words);
        making_end(m);
    }
}

/* The header of a merged checkpoint counts parts that hold nothing; the files do not. */
static void
a_merged_checkpoint_may_have_fewer_files_than_its_header_says(void **state)
{
    struct making *m = small_checkpoint(false), *other = small_checkpoint(false);
    AUTO(wire_files) w;
    AUTO(wire_files) mixed;

    (void)state;
    making_header(m, 5, 0);
    making_header(other, 5, 0);
    wire_files_init(&w, &files);
    making_files_of(m, &w, "model", 2);
    assert_int_equal(read_all(&w, NULL), OK);
    expect_small(&w);
    /* Two sets of files: which one would be a guess. */
    wire_files_init(&mixed, &files);
    making_files_of(other, &mixed, "model", 2);
    wire_files_add(&mixed, "model.data-00000-of-00001", bytes_of_text("more"));
    expect_error(&mixed, "of-00005' that it is in is missing");
    making_end(m);
    making_end(other);
}

static void
an_index_begins_with_a_header(void **state)
{
    struct making *m = small_checkpoint(false);
    AUTO(wire_files) w;

    (void)state;
    wire_files_init(&w, &files);
    making_files_of(m, &w, "model", 2);
    expect_error(&w, "the index: it is a table without the header");
    making_end(m);
}

/* --- entries --- */

static enum err_code
try_entry(void (*change)(struct making_entry *entry), struct wire_files *w, struct err *err)
{
    struct making *m = making_begin(1, false);
    struct making_entry entry = making_put(m, &six_bytes, bytes_of(six, sizeof six), 0);
    enum err_code code;

    change(&entry);
    making_add(m, bytes_of_text("w"), &entry);
    wire_files_init(w, &files);
    making_files(m, w, "model");
    code = read_all(w, err);
    making_end(m);
    return code;
}

#define CHANGE(name, what)                                                                         \
    static void change_##name(struct making_entry *entry)                                          \
    {                                                                                              \
        what;                                                                                      \
    }
CHANGE(nothing, (void)entry)
CHANGE(variant, entry->dtype = 21)
CHANGE(int4, entry->dtype = 29)
CHANGE(resource, entry->dtype = 20)
CHANGE(new_dtype, entry->dtype = 77)
CHANGE(no_dtype, entry->dtype = 0)
CHANGE(reference, entry->dtype = 104)
CHANGE(wide_dtype, entry->dtype = ((uint64_t)1 << 32) + 4)
CHANGE(rank, entry->shape.rank = 32; for (int i = 1; i < 32; i++) entry->shape.dims[i] = 1)
CHANGE(huge, entry->shape.dims[0] = (uint64_t)1 << 48)
CHANGE(negative, entry->shape.dims[0] = (uint64_t)-6)
CHANGE(shape, entry->shape.dims[0] = 5)
CHANGE(no_size, entry->size = 0)
CHANGE(shard, entry->shard = 1)
CHANGE(negative_shard, entry->shard = (uint64_t)-1)
CHANGE(offset, entry->offset = 1)
CHANGE(negative_offset, entry->offset = (uint64_t)-6)
CHANGE(far_offset, entry->offset = INT64_MAX)
CHANGE(negative_size, entry->size = (uint64_t)-6)
CHANGE(crc, entry->crc ^= 0x10000)
CHANGE(no_crc, entry->crc = 0)
CHANGE(strings, entry->dtype = 7)

static void
entries_are_held_to_what_they_can_say(void **state)
{
    static const struct {
        void (*change)(struct making_entry *entry);
        const char *words;  /* of the error */
        const char *reason; /* of a refusal */
    } changes[] = {
        {change_nothing, NULL, NULL},
        {change_rank, NULL, NULL},
        {change_variant, NULL, "dtype DT_VARIANT is not kept here"},
        {change_int4, NULL, "dtype DT_INT4 is not kept here"},
        {change_resource, NULL, "dtype DT_RESOURCE is not kept here"},
        {change_new_dtype, NULL, "dtype number 77 is of a newer TensorFlow"},
        {change_huge, NULL, "its shape has more than 2^47 elements"},
        {change_wide_dtype, NULL, NULL}, /* an enum is 32 bits, of more the rest is dropped */
        {change_no_dtype, "dtype is number 0", NULL},
        {change_reference, "dtype is number 104", NULL},
        {change_negative, "negative dimension", NULL},
        {change_shape, "has 6 bytes, its shape takes 5", NULL},
        {change_no_size, "has 0 bytes, its shape takes 6", NULL},
        {change_shard, "in data file 1, there are 1", NULL},
        {change_negative_shard, "of data file -1", NULL},
        {change_offset, "6 bytes at offset 1 are not inside", NULL},
        {change_negative_offset, "at -6", NULL},
        {change_far_offset, "are not inside", NULL},
        {change_negative_size, "-6 bytes", NULL},
        {change_crc, "have checksum", NULL},
        {change_no_crc, "the index says 00000000", NULL},
        {change_strings, "6 strings in 6 bytes", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct err err = ERR_INIT;
        AUTO(wire_files) w;
        enum err_code code = try_entry(changes[i].change, &w, &err);

        if (changes[i].words != NULL) {
            if (code != ERR_INVALID_ARGUMENT || strstr(err.text, changes[i].words) == NULL ||
                strcmp(err.about, "w") != 0)
                fail_msg("%zu: %d '%s' lacks '%s'", i, code, err.text, changes[i].words);
            continue;
        }
        if (code != OK)
            fail_msg("%zu: %s", i, err.text);
        assert_int_equal(w.reader.catalog.count, changes[i].reason == NULL);
        assert_int_equal(w.reader.catalog.refused_count, changes[i].reason != NULL);
        if (changes[i].reason != NULL)
            assert_string_equal(w.reader.catalog.refused[0].reason, changes[i].reason);
    }
}

static void
names_that_cannot_be_kept_are_refused_one_by_one(void **state)
{
    char wide[NAME_TENSOR_BYTES_MAX + 2];
    const char *names[] = {"\xff\xfe", "caf\xc3\xa9", wide, "a\nb"};
    struct making *m = making_begin(1, false);
    AUTO(wire_files) w;

    (void)state;
    memset(wide, 'w', sizeof wide);
    wide[sizeof wide - 1] = '\0';
    for (size_t i = 0; i < 4; i++) {
        struct making_entry entry = making_put(m, &six_bytes, bytes_of(six, sizeof six), 0);

        making_add(m, bytes_of_text(names[i]), &entry);
    }
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    assert_int_equal(read_all(&w, NULL), OK);
    assert_int_equal(w.reader.catalog.count, 2);
    assert_int_equal(w.reader.catalog.refused_count, 2);
    assert_int_not_equal(wire_files_find(&w, bytes_of_text(names[1])), SIZE_MAX);
    assert_int_not_equal(wire_files_find(&w, bytes_of_text(names[3])), SIZE_MAX);
    making_end(m);
}

/* Keys that share all but their ends are short in the index. */
static void
long_names_that_share_what_they_begin_with_take_no_memory(void **state)
{
    enum { NAMES = 5000, NAME_BYTES = 60000 };
    struct making *m = making_begin(1, false);
    struct making_entry entry = making_put(m, &six_bytes, bytes_of(six, sizeof six), 0);
    char *name = malloc(NAME_BYTES + 8);
    AUTO(api_sstable_writer) table = {.offset = 0};
    AUTO(buf) index = {0};
    AUTO(buf) value = {0};
    AUTO(wire_files) w;

    (void)state;
    memset(name, 'n', NAME_BYTES);
    buf_init(&index, MAKING_BYTES_MAX);
    buf_init(&value, 1000);
    making_entry_encode(&entry, &value);
    making_header(m, 1, 0);
    api_sstable_writer_init(&table, api_sstable_to_buf(&index));
    MAKES(api_sstable_add(&table, m->records[0].key, m->records[0].value, NULL));
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name + NAME_BYTES, 8, "%05u", i);
        MAKES(api_sstable_add(&table, bytes_of(name, NAME_BYTES + 5), buf_bytes(&value), NULL));
    }
    MAKES(api_sstable_finish(&table, NULL));
    wire_files_init(&w, &files);
    wire_files_add(&w, "m.index", buf_bytes(&index));
    wire_files_add(&w, "m.data-00000-of-00001", bytes_of(six, sizeof six));
    assert_int_equal(wire_files_open(&w, &api_wire_tf_v2, NULL), OK);
    assert_int_equal(w.reader.catalog.refused_count, NAMES);
    assert_true(w.arena.used < 32 << 20);
    free(name);
    making_end(m);
}

static void
limits_hold_before_anything_is_read(void **state)
{
    struct making *m = making_begin(1, false);
    struct making_entry entry = making_put(m, &six_bytes, bytes_of(six, sizeof six), 0);
    AUTO(wire_files) w;
    AUTO(wire_files) many;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[16];

        snprintf(name, sizeof name, "w%d", i);
        making_add(m, bytes_of_text(name), &entry); /* all of them the same bytes */
    }
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    w.limits.bytes_max = 59;
    assert_int_equal(wire_files_open(&w, &api_wire_tf_v2, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_non_null(strstr(err.text, "import_max_bytes"));
    err_clear(&err);
    wire_files_init(&many, &files);
    making_files_of(m, &many, "model", 1);
    many.limits.tensors_max = 9;
    assert_int_equal(wire_files_open(&many, &api_wire_tf_v2, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "more than 9 tensors"));
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
                struct making *m = small_checkpoint(big_endian == 1);
                AUTO(wire_files) w;

                size = m->data[shard].size;
                m->data[shard].data[at] ^= 4;
                wire_files_init(&w, &files);
                making_files(m, &w, "model");
                expect_error(&w, "");
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
            struct making *m = small_checkpoint(false);
            AUTO(wire_files) w;

            size = m->data[shard].size;
            m->data[shard].size -= missing;
            wire_files_init(&w, &files);
            making_files(m, &w, "model");
            expect_error(&w, "not inside");
            making_end(m);
        }
    }
}

/* Files in a folder can change while they are read. Whatever comes: an error, and no more. */
static void
data_that_changes_while_it_is_read_is_an_error(void **state)
{
    struct making *m = small_checkpoint(false);
    size_t size = m->data[0].size;

    (void)state;
    making_end(m);
    for (size_t at = 0; at < size; at++)
        for (int how = 0; how < 3; how++) {
            AUTO(wire_files) w;
            enum err_code code;
            const struct api_file *file;
            uint8_t byte = how == 0 ? 0 : 0x81;

            m = small_checkpoint(false);
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
        cmocka_unit_test(entries_are_held_to_what_they_can_say),
        cmocka_unit_test(names_that_cannot_be_kept_are_refused_one_by_one),
        cmocka_unit_test(long_names_that_share_what_they_begin_with_take_no_memory),
        cmocka_unit_test(limits_hold_before_anything_is_read),
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
