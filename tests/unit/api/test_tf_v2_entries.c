/* V2 checkpoints: what the entries of an index may say, and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/api/tf_v2_small.h"

static struct files files;

static enum err_code
try_entry(void (*change)(struct making_entry *entry), struct wire_files *w, struct err *err)
{
    struct making *m = making_begin(1, false);
    struct making_entry entry =
        making_put(m, &making_six_bytes, bytes_of(making_six, sizeof making_six), 0);
    enum err_code code;

    change(&entry);
    making_add(m, bytes_of_text("w"), &entry);
    wire_files_init(w, &files);
    making_files(m, w, "model");
    code = making_read(w, err);
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
        struct making_entry entry =
            making_put(m, &making_six_bytes, bytes_of(making_six, sizeof making_six), 0);

        making_add(m, bytes_of_text(names[i]), &entry);
    }
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    assert_int_equal(making_read(&w, NULL), OK);
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
    struct making_entry entry =
        making_put(m, &making_six_bytes, bytes_of(making_six, sizeof making_six), 0);
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
    wire_files_add(&w, "m.data-00000-of-00001", bytes_of(making_six, sizeof making_six));
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
    struct making_entry entry =
        making_put(m, &making_six_bytes, bytes_of(making_six, sizeof making_six), 0);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_held_to_what_they_can_say),
        cmocka_unit_test(names_that_cannot_be_kept_are_refused_one_by_one),
        cmocka_unit_test(long_names_that_share_what_they_begin_with_take_no_memory),
        cmocka_unit_test(limits_hold_before_anything_is_read),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("tf_v2_entries", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
