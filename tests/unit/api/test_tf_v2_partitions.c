/* Partitioned tensors of V2 checkpoints: any cut of any tensor comes out whole, and what is no
 * partition is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/api/boxes.h"
#include "tests/unit/api/tf_v2_making.h"

enum { BOXES_MAX = 64, TENSORS_EACH = 6 };

static struct files files;

/* --- values --- */

struct value {
    struct tensor_type type;
    char name[16];
    struct bytes bytes;
    struct bytes elements[4096]; /* strings: where each is */
};

static void
fill_value(struct value *value, struct making *m)
{
    uint64_t count = shape_count(&value->type.shape);
    AUTO(buf) bytes = {0};

    buf_init(&bytes, MAKING_BYTES_MAX);
    if (value->type.dtype != DTYPE_STRING)
        for (uint64_t i = tensor_type_bytes(&value->type); i > 0; i--)
            MAKES(buf_append_byte(
                &bytes, (uint8_t)random_below(value->type.dtype == DTYPE_BOOL ? 2 : 256), NULL));
    else
        for (uint64_t i = 0; i < count; i++) {
            uint8_t text[300];
            size_t size = random_below(random_below(8) == 0 ? sizeof text : 6);

            memset(text, (int)('a' + i % 26), sizeof text);
            MAKES(buf_append_bytes(&bytes, bytes_of(text, size), NULL));
        }
    value->bytes = making_copy(m, buf_bytes(&bytes));
    if (value->type.dtype == DTYPE_STRING) {
        struct reader in = reader_of(value->bytes);

        for (uint64_t i = 0; i < count; i++)
            value->elements[i] = reader_bytes(&in);
    }
}

/* The part's bytes, picked element by element. */
static struct bytes
part_of(const struct value *value, const struct box *box, struct making *m)
{
    const struct shape *whole = &value->type.shape;
    uint32_t item = dtype_size(value->type.dtype);
    AUTO(buf) out = {0};

    buf_init(&out, MAKING_BYTES_MAX);
    for (uint64_t i = 0; i < shape_count(&box->shape); i++) {
        uint64_t place = box_place(box, whole, i);

        if (item > 0)
            MAKES(buf_append(&out, value->bytes.data + place * item, item, NULL));
        else
            MAKES(buf_append_bytes(&out, value->elements[place], NULL));
    }
    return making_copy(m, buf_bytes(&out));
}

/* --- cuts --- */

static void
shuffle(struct box *boxes, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below((uint32_t)i);
        struct box kept = boxes[i - 1];

        boxes[i - 1] = boxes[other];
        boxes[other] = kept;
    }
}

/* A dimension that a part has all of is said to be whole, or given in numbers. */
static void
extents_of(const struct box *box, const struct shape *whole, struct api_extent *out)
{
    for (uint32_t d = 0; d < whole->rank; d++) {
        out[d] = (struct api_extent){(int64_t)box->first[d], (int64_t)box->shape.dims[d]};
        if (box->shape.dims[d] == whole->dims[d] && (whole->dims[d] == 0 || random_below(3) > 0))
            out[d] = (struct api_extent){0, API_EXTENT_WHOLE};
    }
}

static void
add_partitioned(struct making *m, const struct value *value, struct box *boxes, size_t count)
{
    static struct api_extent extents[BOXES_MAX * 8];
    uint32_t rank = value->type.shape.rank;

    shuffle(boxes, count);
    for (size_t i = 0; i < count; i++) {
        struct tensor_type part = {.dtype = value->type.dtype, .shape = boxes[i].shape};
        struct making_entry entry =
            making_put(m, &part, part_of(value, &boxes[i], m), random_below(m->shards));

        extents_of(&boxes[i], &value->type.shape, extents + i * rank);
        making_slice(m, bytes_of_text(value->name), extents + i * rank, &entry);
    }
    making_partitioned(m, bytes_of_text(value->name), &value->type, extents, count);
}

static void
make_value(struct value *value, size_t number, struct making *m)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT32, DTYPE_INT8,   DTYPE_COMPLEX128, DTYPE_INT64,
                                        DTYPE_BOOL,    DTYPE_STRING, DTYPE_BFLOAT16};
    struct shape *shape = &value->type.shape;

    snprintf(value->name, sizeof value->name, "value/%zu", number);
    value->type =
        (struct tensor_type){.dtype = dtypes[random_below(7)], .shape.rank = 1 + random_below(4)};
    for (uint32_t i = 0; i < shape->rank; i++)
        shape->dims[i] = 1 + random_below(i < 2 ? 11 : 5);
    fill_value(value, m);
}

static void
expect_values(struct wire_files *w, const struct value *values, size_t count, size_t step)
{
    struct err err = ERR_INIT;

    if (wire_files_open(w, &api_wire_tf_v2, &err) != OK || wire_files_read(w, step, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(w->reader.catalog.count, count);
    for (size_t i = 0; i < count; i++) {
        size_t at = wire_files_find(w, bytes_of_text(values[i].name));

        assert_int_not_equal(at, SIZE_MAX);
        assert_true(tensor_type_equal(&w->reader.catalog.tensors[at].type, &values[i].type));
        assert_true(bytes_equal(w->values[at], values[i].bytes));
    }
}

static void
any_cut_of_any_tensor_comes_out_whole(void **state)
{
    static struct value values[TENSORS_EACH];

    (void)state;
    for (int round = 0; round < 150; round++) {
        struct making *m = making_begin(1 + random_below(4), random_below(2) == 0);
        AUTO(wire_files) w;

        for (size_t i = 0; i < TENSORS_EACH; i++) {
            struct box boxes[BOXES_MAX] = {{.first = {0}}};
            size_t count = 1;

            make_value(&values[i], i, m);
            boxes[0].shape = values[i].type.shape;
            for (uint32_t cuts = random_below(BOXES_MAX); cuts > 0 && i > 0; cuts--)
                count = boxes_cut(boxes, count);
            if (i > 0)
                add_partitioned(m, &values[i], boxes, count);
            else {
                struct making_entry entry = making_put(m, &values[i].type, values[i].bytes, 0);

                making_add(m, bytes_of_text(values[i].name), &entry);
            }
        }
        wire_files_init(&w, &files);
        making_files(m, &w, "model");
        expect_values(&w, values, TENSORS_EACH, random_below(3) == 0 ? 0 : 1 + random_below(200));
        making_end(m);
    }
}

/* More slices than windows of the usual size have room for. */
static void
a_tensor_of_thousands_of_slices_comes_out_whole(void **state)
{
    enum { COLUMNS = 5000, ROWS = 20 };
    static struct api_extent extents[2 * COLUMNS];
    static uint16_t whole[ROWS][COLUMNS], column[ROWS];
    const struct tensor_type type = {DTYPE_UINT16, {.rank = 2, .dims = {ROWS, COLUMNS}}};
    const struct tensor_type part = {DTYPE_UINT16, {.rank = 2, .dims = {ROWS, 1}}};
    struct making *m = making_begin(1, false);
    AUTO(wire_files) w;

    (void)state;
    for (size_t c = 0; c < COLUMNS; c++) {
        struct making_entry entry;

        for (size_t r = 0; r < ROWS; r++)
            whole[r][c] = column[r] = (uint16_t)random_below(65536);
        entry = making_put(m, &part, bytes_of(column, sizeof column), 0);
        extents[2 * c] = (struct api_extent){0, API_EXTENT_WHOLE};
        extents[2 * c + 1] = (struct api_extent){(int64_t)c, 1};
        making_slice(m, bytes_of_text("w"), extents + 2 * c, &entry);
    }
    making_partitioned(m, bytes_of_text("w"), &type, extents, COLUMNS);
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    assert_int_equal(wire_files_open(&w, &api_wire_tf_v2, NULL), OK);
    assert_int_equal(wire_files_read(&w, 0, NULL), OK);
    assert_int_equal(w.values[0].size, sizeof whole);
    assert_memory_equal(w.values[0].data, whole, sizeof whole);
    making_end(m);
}

/* --- what is no partition --- */

struct wrong {
    struct api_extent extents[3]; /* of one dimension of 6 */
    size_t count;
    const char *words;
};

static enum err_code
try_wrong(const struct wrong *wrong, struct err *err)
{
    static const uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    const struct tensor_type type = {DTYPE_UINT8, {.rank = 1, .dims = {6}}};
    struct making *m = making_begin(1, false);
    enum err_code code;
    AUTO(wire_files) w;

    for (size_t i = 0; i < wrong->count; i++) {
        int64_t length = wrong->extents[i].length < 0 ? 6 : wrong->extents[i].length;
        struct tensor_type part = {DTYPE_UINT8, {.rank = 1, .dims = {(uint64_t)length}}};
        struct making_entry entry;

        if (length > 6)
            continue;
        entry = making_put(m, &part, bytes_of(bytes, (size_t)length), 0);
        if (i == 0 || wrong->extents[i].start != wrong->extents[i - 1].start)
            making_slice(m, bytes_of_text("w"), &wrong->extents[i], &entry);
    }
    making_partitioned(m, bytes_of_text("w"), &type, wrong->extents, wrong->count);
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    code = wire_files_open(&w, &api_wire_tf_v2, err);
    if (code == OK)
        code = wire_files_read(&w, 1, err);
    making_end(m);
    return code;
}

static void
holes_overlaps_and_what_lies_outside_are_refused(void **state)
{
    static const struct wrong wrongs[] = {
        {{{0, 3}, {3, 3}}, 2, NULL},
        {{{3, 3}, {0, 3}}, 2, NULL},
        {{{0, -1}}, 1, NULL},
        {{{0, 3}}, 1, "hole"},
        {{{0, 3}, {4, 2}}, 2, "hole"},
        {{{0, 4}, {3, 3}}, 2, "overlap"},
        {{{0, 3}, {0, 3}}, 2, "overlap"},
        {{{0, 3}, {1, 3}}, 2, "at element 3"},
        {{{0, 2}, {2, 2}, {3, 2}}, 3, "at element 4"},
        {{{1, 5}, {1, 1}}, 2, ""},
        {{{0, 7}}, 1, "begins at 0 and has length 7"},
        {{{4, 3}, {0, 4}}, 2, "begins at 4 and has length 3"},
        {{{-1, 3}, {0, 3}}, 2, "begins at -1"},
        {{{0, 0}, {0, -1}}, 2, "has length 0"},
        {{{2, INT64_MAX}}, 1, "begins at 2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct err err = ERR_INIT;
        enum err_code code = try_wrong(&wrongs[i], &err);

        if (wrongs[i].words == NULL) {
            if (code != OK)
                fail_msg("%zu: %s", i, err.text);
            continue;
        }
        if (code != ERR_INVALID_ARGUMENT || strstr(err.text, wrongs[i].words) == NULL ||
            strstr(err.text, "tensor 'w': ") != err.text)
            fail_msg("%zu: %d '%s' lacks '%s'", i, code, err.text, wrongs[i].words);
    }
}

/* --- records that go together --- */

/* One slice that is all of [6], whose record `change` has changed. */
static enum err_code
try_slice_record(void (*change)(struct making_entry *entry), bool lists_slices, struct err *err)
{
    static const uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    const struct api_extent all = {0, API_EXTENT_WHOLE};
    const struct tensor_type type = {DTYPE_UINT8, {.rank = 1, .dims = {6}}};
    struct making *m = making_begin(1, false);
    struct making_entry entry = making_put(m, &type, bytes_of(bytes, sizeof bytes), 0);
    enum err_code code;
    AUTO(buf) key = {0};
    AUTO(wire_files) w;

    if (change != NULL)
        change(&entry);
    buf_init(&key, 1000);
    MAKES(api_slice_key(bytes_of_text("w"), &all, 1, &key, NULL));
    if (lists_slices)
        making_partitioned(m, buf_bytes(&key), &type, &all, 1);
    else
        making_add(m, buf_bytes(&key), &entry);
    making_partitioned(m, bytes_of_text("w"), &type, &all, 1);
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    code = wire_files_open(&w, &api_wire_tf_v2, err);
    if (code == OK)
        code = wire_files_read(&w, 0, err);
    making_end(m);
    return code;
}

static void
change_dtype(struct making_entry *entry)
{
    entry->dtype = 6;
}

static void
change_shape(struct making_entry *entry)
{
    entry->shape = (struct shape){.rank = 1, .dims = {5}};
    entry->size = 5;
}

static void
change_rank(struct making_entry *entry)
{
    entry->shape = (struct shape){.rank = 2, .dims = {6, 1}};
}

static void
change_size(struct making_entry *entry)
{
    entry->size = 5;
}

static void
change_crc(struct making_entry *entry)
{
    entry->crc++;
}

static void
a_slices_record_says_what_the_whole_says(void **state)
{
    static const struct {
        void (*change)(struct making_entry *entry);
        const char *words;
    } changes[] = {
        {change_dtype, "has dtype 6, the whole has 4"},
        {change_shape, "has shape [5] in its record, not [6]"},
        {change_rank, "has shape [6,1] in its record, not [6]"},
        {change_size, "has 5 bytes, its shape takes 6"},
        {change_crc, "have checksum"},
    };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(try_slice_record(NULL, false, NULL), OK);
    assert_int_equal(try_slice_record(NULL, true, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "lists slices"));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        err_clear(&err);
        assert_int_equal(try_slice_record(changes[i].change, false, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, changes[i].words) == NULL)
            fail_msg("'%s' lacks '%s'", err.text, changes[i].words);
    }
}

static void
the_same_slice_many_times_costs_nothing(void **state)
{
    enum { TIMES = 100000 };
    struct api_extent *extents = calloc(TIMES, sizeof *extents);
    const struct tensor_type type = {DTYPE_UINT8, {.rank = 1, .dims = {1 << 20}}};
    struct making *m = making_begin(1, false);
    struct err err = ERR_INIT;
    AUTO(wire_files) w;

    (void)state;
    for (size_t i = 0; i < TIMES; i++)
        extents[i] = (struct api_extent){0, 8};
    making_partitioned(m, bytes_of_text("w"), &type, extents, TIMES);
    wire_files_init(&w, &files);
    making_files(m, &w, "model");
    assert_int_equal(wire_files_open(&w, &api_wire_tf_v2, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "overlap"));
    making_end(m);
    free(extents);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_of_any_tensor_comes_out_whole),
        cmocka_unit_test(a_tensor_of_thousands_of_slices_comes_out_whole),
        cmocka_unit_test(holes_overlaps_and_what_lies_outside_are_refused),
        cmocka_unit_test(a_slices_record_says_what_the_whole_says),
        cmocka_unit_test(the_same_slice_many_times_costs_nothing),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("tf_v2_partitions", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
