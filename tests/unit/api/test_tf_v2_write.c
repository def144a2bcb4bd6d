/* V2 checkpoints that are written: which files there are, what is looked at, and that all of it
 * comes back. What TensorFlow would write is the business of test_tf_v2_fixtures.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/api/tf_v2_making.h"

static struct files files;

/* One tensor to write. */
struct given {
    const char *name;
    struct tensor_type type;
    struct bytes value;
    uint32_t shard;
};

static struct tensor_set
set_of(struct wire_files *w, const struct given *given, size_t count)
{
    struct tensor_set set = {.entry_count = count, .span_count = count};

    set.entries = arena_array(&w->arena, count, sizeof *set.entries, NULL);
    set.spans = arena_array(&w->arena, count, sizeof *set.spans, NULL);
    for (size_t i = 0; i < count; i++) {
        set.spans[i] = given[i].value;
        set.entries[i] = (struct tensor_set_entry){.name = given[i].name,
                                                   .type = given[i].type,
                                                   .size = given[i].value.size,
                                                   .shard = given[i].shard,
                                                   .span_first = i,
                                                   .span_count = 1};
    }
    return set;
}

/* What was written, opened again. */
static void
read_again(struct wire_files *again, struct wire_files *w, const struct api_layout *layout)
{
    struct err err = ERR_INIT;

    wire_files_init(again, &files);
    for (size_t i = 0; i < layout->file_count; i++)
        wire_files_add(again, layout->files[i].name, wire_files_written(w, layout, i));
    if (wire_files_open(again, &api_wire_tf_v2, &err) != OK ||
        wire_files_read(again, 0, &err) != OK)
        fail_msg("%s", err.text);
}

static void
expect_names(const struct api_layout *layout, const char *const *names, size_t count)
{
    assert_int_equal(layout->file_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(layout->files[i].name, names[i]);
}

static void
shards_that_hold_nothing_have_no_file(void **state)
{
    static const char *const names[] = {"model.data-00001-of-00004", "model.data-00003-of-00004",
                                        "model.index", "checkpoint"};
    const struct given given[] = {
        {"b", {DTYPE_INT8, {.rank = 1, .dims = {3}}}, bytes_of_text("abc"), 3},
        {"a", {DTYPE_INT8, {.rank = 1, .dims = {2}}}, bytes_of_text("de"), 1},
        {"c", {DTYPE_INT8, {.rank = 0}}, bytes_of_text("f"), 3},
    };
    AUTO(wire_files) w;
    AUTO(wire_files) again;
    struct api_layout layout;
    struct tensor_set set;

    (void)state;
    wire_files_init(&w, &files);
    w.reader.catalog.shards = 4;
    set = set_of(&w, given, 3);
    assert_int_equal(wire_files_write(&w, api_tf_v2_write, &set, "model", &layout, NULL), OK);
    expect_names(&layout, names, 4);
    assert_true(bytes_equal(wire_files_written(&w, &layout, 1), bytes_of_text("abcf")));
    read_again(&again, &w, &layout);
    assert_int_equal(again.reader.catalog.count, 3);
    assert_int_equal(again.reader.catalog.shards, 4);
    assert_true(bytes_equal(again.values[0], bytes_of_text("de")));
    assert_true(bytes_equal(again.values[2], bytes_of_text("f")));
}

static void
a_checkpoint_of_nothing_has_its_files(void **state)
{
    static const char *const names[] = {"none.data-00000-of-00001", "none.index", "checkpoint"};
    AUTO(wire_files) w;
    AUTO(wire_files) again;
    struct api_layout layout;
    struct tensor_set set;

    (void)state;
    wire_files_init(&w, &files);
    w.reader.catalog.shards = 1;
    set = set_of(&w, NULL, 0);
    assert_int_equal(wire_files_write(&w, api_tf_v2_write, &set, "none", &layout, NULL), OK);
    expect_names(&layout, names, 3);
    assert_int_equal(layout.files[0].size, 0);
    assert_true(bytes_equal(wire_files_written(&w, &layout, 2),
                            bytes_of_text("model_checkpoint_path: \"none\"\n"
                                          "all_model_checkpoint_paths: \"none\"\n")));
    read_again(&again, &w, &layout);
    assert_int_equal(again.reader.catalog.count, 0);
}

/* Numbers are lent where they lie, and not summed when their checksum is known. */
static void
bytes_whose_checksum_is_known_are_not_read(void **state)
{
    const struct given given = {
        "w", {DTYPE_INT8, {.rank = 1, .dims = {3}}}, bytes_of_text("abc"), 0};
    AUTO(wire_files) w;
    AUTO(wire_files) again;
    struct api_layout layout;
    struct tensor_set set;
    struct err err = ERR_INIT;

    (void)state;
    wire_files_init(&w, &files);
    w.reader.catalog.shards = 1;
    set = set_of(&w, &given, 1);
    set.entries[0].has_crc32c = true;
    set.entries[0].crc32c = crc32c(0, "xyz", 3);
    assert_int_equal(wire_files_write(&w, api_tf_v2_write, &set, "m", &layout, NULL), OK);
    assert_ptr_equal(layout.spans[0].data, given.value.data);
    wire_files_init(&again, &files);
    wire_files_add(&again, "m.data-00000-of-00001", bytes_of_text("xyz"));
    wire_files_add(&again, "m.index", wire_files_written(&w, &layout, 1));
    if (wire_files_open(&again, &api_wire_tf_v2, &err) != OK ||
        wire_files_read(&again, 0, &err) != OK)
        fail_msg("%s", err.text);
}

/* Every dtype, also without elements and of rank 0, and names of any length. */
static void
every_type_comes_back(void **state)
{
    enum { SHAPES = 4, COUNT = DTYPE_COUNT * SHAPES };
    static const struct shape shapes[SHAPES] = {{.rank = 0},
                                                {.rank = 1, .dims = {0}},
                                                {.rank = 3, .dims = {2, 0, 5}},
                                                {.rank = 2, .dims = {3, 7}}};
    static uint8_t numbers[21 * 16];
    static char names[COUNT][NAME_TENSOR_BYTES_MAX + 1];
    static struct given given[COUNT];
    AUTO(buf) strings = {0};
    AUTO(wire_files) w;
    AUTO(wire_files) again;
    struct api_layout layout;
    struct tensor_set set;

    (void)state;
    buf_init(&strings, 10000);
    for (size_t i = 0; i < sizeof numbers; i++)
        numbers[i] = i & 1;
    for (size_t i = 0; i < 21; i++)
        MAKES(buf_append_bytes(&strings,
                               bytes_of("\0\xff"
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        i),
                               NULL));
    for (size_t i = 0; i < COUNT; i++) {
        struct tensor_type type = {(enum dtype)(i / SHAPES), shapes[i % SHAPES]};
        uint64_t size = tensor_type_bytes(&type);

        memset(names[i], 'n', i * 11 % NAME_TENSOR_BYTES_MAX);
        snprintf(names[i] + i * 11 % (NAME_TENSOR_BYTES_MAX - 10), 10, "%zu", i);
        if (type.dtype == DTYPE_STRING)
            size = i % SHAPES == 0 ? 4 : i % SHAPES == 3 ? strings.size : 0;
        given[i] = (struct given){names[i], type, bytes_of(numbers, (size_t)size), i % 3 == 0};
        if (type.dtype == DTYPE_STRING)
            given[i].value = bytes_of(strings.data, (size_t)size);
    }
    wire_files_init(&w, &files);
    w.reader.catalog.shards = 2;
    set = set_of(&w, given, COUNT);
    assert_int_equal(wire_files_write(&w, api_tf_v2_write, &set, "m", &layout, NULL), OK);
    read_again(&again, &w, &layout);
    assert_int_equal(again.reader.catalog.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = wire_files_find(&again, bytes_of_text(names[i]));

        assert_int_not_equal(at, SIZE_MAX);
        assert_true(tensor_type_equal(&again.reader.catalog.tensors[at].type, &given[i].type));
        assert_int_equal(again.reader.catalog.tensors[at].shard, given[i].shard);
        assert_true(bytes_equal(again.values[at], given[i].value));
    }
}

/* A string tensor whose bytes are not what they should be is the store's error, not a crash. */
static void
broken_strings_are_noticed(void **state)
{
    static const struct bytes broken[] = {{(const uint8_t *)"\2\0\0", 3},
                                          {(const uint8_t *)"\2\0\0\0a", 5},
                                          {(const uint8_t *)"\xff\xff\xff\xff"
                                                            "a",
                                           5}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct given given = {"s", {DTYPE_STRING, {.rank = 0}}, broken[i], 0};
        AUTO(wire_files) w;
        struct api_layout layout;
        struct tensor_set set;

        wire_files_init(&w, &files);
        w.reader.catalog.shards = 1;
        set = set_of(&w, &given, 1);
        assert_int_equal(wire_files_write(&w, api_tf_v2_write, &set, "m", &layout, NULL),
                         ERR_INTERNAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_that_hold_nothing_have_no_file),
        cmocka_unit_test(a_checkpoint_of_nothing_has_its_files),
        cmocka_unit_test(bytes_whose_checksum_is_known_are_not_read),
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(broken_strings_are_noticed),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("tf_v2_write", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
