/* Partitions: TensorFlow's partitioners, what parts divide a shape into, and variables that have
 * them. Rows named by an id are TensorFlow's own cases. */
#include "tests/unit/service/service_fixture.h"

/* --- partitioners -------------------------------------------------------------------------- */

static struct partition_spec
fixed_size(int64_t num_shards, int64_t axis)
{
    struct partition_spec spec = partition_spec_default(PARTITION_FIXED_SIZE);

    spec.num_shards = num_shards;
    spec.axis = axis;
    return spec;
}

static struct partition_spec
variable_axis_size(int64_t max_shard_bytes, int64_t axis, int64_t max_shards)
{
    struct partition_spec spec = partition_spec_default(PARTITION_VARIABLE_AXIS_SIZE);

    spec.max_shard_bytes = max_shard_bytes;
    spec.axis = axis;
    spec.max_shards = max_shards;
    return spec;
}

static struct partition_spec
min_max(int64_t max_partitions, int64_t axis, int64_t min_slice_size)
{
    struct partition_spec spec = partition_spec_default(PARTITION_MIN_MAX);

    spec.max_partitions = max_partitions;
    spec.axis = axis;
    spec.min_slice_size = min_slice_size;
    return spec;
}

static struct partition_spec
with_string_bytes(struct partition_spec spec, int64_t bytes)
{
    spec.bytes_per_string_element = bytes;
    return spec;
}

struct partitioner_case {
    const char *id;
    struct partition_spec spec;
    struct tensor_type type;
    const char *expected;
};

static void
run_partitioners(const struct partitioner_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = ERR_INIT;
        struct shape slicing;
        char text[SHAPE_TEXT_BYTES_MAX];

        print_message("%s\n", cases[i].id);
        WORKS(partition_slicing(&cases[i].spec, &cases[i].type, &slicing, &err), &err);
        assert_string_equal(shape_text(&slicing, text), cases[i].expected);
    }
}

static void
partitioners_give_tensorflows_numbers(void **state)
{
    const struct tensor_type deep = type_of(DTYPE_FLOAT32, exprs_shape(4, 4, 8, 16, 32));
    const struct tensor_type wide = type_of(DTYPE_FLOAT32, exprs_shape(2, 2048, 1024));
    const struct partitioner_case cases[] = {
        {"partition/variable-axis-size/3", variable_axis_size(2048, 3, 0), deep, "[1,1,1,32]"},
        {"partition/variable-axis-size/5", variable_axis_size(1024, 3, 33), deep, "[1,1,1,32]"},
        {"partition/min-max/1", min_max(100, 0, 256 << 10), wide, "[32,1]"},
        {"partition/min-max/4", min_max(100, 0, 128 << 10), wide, "[64,1]"},
        {"partition/min-max/5", min_max(100, 0, 512 << 10), wide, "[16,1]"},
        {"partition/fixed-size", fixed_size(5, 0), type_of(DTYPE_FLOAT32, exprs_shape(2, 10, 10)),
         "[5,1]"},
    };

    (void)state;
    run_partitioners(cases, sizeof cases / sizeof cases[0]);
}

static void
partitioners_stop_at_their_limits(void **state)
{
    const struct tensor_type deep = type_of(DTYPE_FLOAT32, exprs_shape(4, 4, 8, 16, 32));
    const struct tensor_type odd = type_of(DTYPE_FLOAT64, exprs_shape(2, 7, 3));
    const struct tensor_type texts = type_of(DTYPE_STRING, exprs_shape(2, 10, 3));
    const struct partitioner_case cases[] = {
        {"no more parts than elements", fixed_size(100, 1), odd, "[1,3]"},
        {"one part", fixed_size(1, 0), odd, "[1,1]"},
        {"the last axis", fixed_size(2, -1), odd, "[1,2]"},
        {"the first axis from the end", fixed_size(INT64_MAX, -2), odd, "[7,1]"},
        /* 512 floats to a slice: 2 KiB */
        {"a slice and a byte too little", variable_axis_size(2047, 3, 0), deep, "[1,1,1,32]"},
        {"two slices to a part", variable_axis_size(4096, 3, 0), deep, "[1,1,1,16]"},
        {"three slices to a part", variable_axis_size(8191, 3, 0), deep, "[1,1,1,11]"},
        {"everything in one", variable_axis_size(INT64_MAX, 3, 0), deep, "[1,1,1,1]"},
        {"exactly everything", variable_axis_size(65536, 3, 0), deep, "[1,1,1,1]"},
        {"no more than asked", variable_axis_size(1, 3, 5), deep, "[1,1,1,5]"},
        {"the first axis", variable_axis_size(1, 0, INT64_MAX), deep, "[4,1,1,1]"},
        {"texts of 16 bytes", variable_axis_size(96, 0, 0), texts, "[5,1]"},
        {"texts of 100", with_string_bytes(variable_axis_size(900, 0, 0), 100), texts, "[4,1]"},
        {"168 bytes rounded up", min_max(100, 0, 100), odd, "[2,1]"},
        {"168 bytes exactly", min_max(100, 0, 84), odd, "[2,1]"},
        {"a byte less", min_max(100, 0, 83), odd, "[3,1]"},
        {"not past the axis", min_max(100, 1, 1), odd, "[1,3]"},
        {"not past max_partitions", min_max(6, 0, 1), odd, "[6,1]"},
        {"small ones whole", min_max(100, 0, INT64_MAX), odd, "[1,1]"},
        {"by default whole", partition_spec_default(PARTITION_MIN_MAX), deep, "[1,1,1,1]"},
        {"max_partitions of none", min_max(0, 0, 1), odd, "[1,1]"},
        {"fewer than none", min_max(INT64_MIN, 1, 1), odd, "[1,1]"},
        {"a size below 0", min_max(100, 0, -84), odd, "[1,1]"},
        {"the smallest size", min_max(100, 0, INT64_MIN), odd, "[1,1]"},
        {"two that cancel out", with_string_bytes(min_max(100, 0, -120), -16), texts, "[4,1]"},
        {"texts of nothing", with_string_bytes(min_max(100, 0, 120), 0), texts, "[1,1]"},
        {"texts do not count", with_string_bytes(min_max(100, 0, 84), INT64_MIN), odd, "[2,1]"},
        {"480 bytes of texts", min_max(100, 0, 120), texts, "[4,1]"},
        {"as large as texts can be",
         with_string_bytes(min_max(3, 0, 1), PARTITION_STRING_BYTES_MAX),
         {.dtype = DTYPE_STRING, .shape = {.rank = 1, .dims = {SHAPE_COUNT_MAX}}},
         "[3]"},
    };

    (void)state;
    run_partitioners(cases, sizeof cases / sizeof cases[0]);
}

static void
partitioners_refuse_what_means_nothing(void **state)
{
    const struct tensor_type plain = type_of(DTYPE_FLOAT32, exprs_shape(2, 4, 4));
    const struct tensor_type empty = type_of(DTYPE_FLOAT32, exprs_shape(2, 0, 4));
    const struct tensor_type single = type_of(DTYPE_FLOAT32, scalar());
    const struct tensor_type line = type_of(DTYPE_FLOAT32, exprs_shape(1, 9));
    const struct tensor_type texts = type_of(DTYPE_STRING, exprs_shape(1, 9));
    const struct tensor_type large = type_of(DTYPE_INT8, exprs_shape(1, PARTITION_PARTS_MAX + 1));
    const struct {
        struct partition_spec spec;
        const struct tensor_type *type;
        const char *words;
    } cases[] = {
        {fixed_size(0, 0), &plain,
         "Partitioner returned zero partitions for some axes: [0, 1]. Cannot create 0 slices "
         "for size 4. shape: [4, 4], slicing: [0, 1]"},
        {fixed_size(INT64_MIN, 1), &plain, "for some axes: [1, -9223372036854775808]"},
        {variable_axis_size(0, 0, 0), &plain,
         "Both max_shard_bytes and bytes_per_string_element must be positive. They are 0 and 16"},
        {variable_axis_size(1, 0, -1), &plain, "max_shards must be positive. It is -1"},
        {variable_axis_size(0, 0, -1), &single, "Both max_shard_bytes and"},
        {with_string_bytes(variable_axis_size(1, 0, 0), 0), &plain, "They are 1 and 0"},
        {with_string_bytes(variable_axis_size(1, 0, 0), INT64_MAX), &texts, "the limit is 65536"},
        {with_string_bytes(min_max(1, 0, 1), INT64_MIN), &texts, "the limit is 65536"},
        {min_max(1, 0, 0), &plain, "min_slice_size is 0"},
        {fixed_size(2, 2), &plain,
         "Can not partition variable along axis 2 when shape is only (4, 4)"},
        {min_max(2, 1, 0), &line, "along axis 1 when shape is only (9,)"},
        {fixed_size(2, -3), &plain, "along axis -3"},
        {fixed_size(2, INT64_MIN), &plain, "along axis -9223372036854775808"},
        {fixed_size(2, 0), &empty, "Partitioner returned zero partitions for some axes: [0, 1]"},
        {fixed_size(2, 1), &empty,
         "Cannot create 1 slices for size 0. shape: [0, 4], slicing: [1, 2]"},
        {variable_axis_size(1, 1, 0), &empty, "Cannot create 1 slices for size 0"},
        {variable_axis_size(1, 0, 0), &empty, "Cannot create 1 slices for size 0"},
        {min_max(1, 1, 1), &empty, "Cannot create 1 slices for size 0"},
        {fixed_size(1, 0), &single, "A partitioned Variable must have rank at least 1, shape: ()"},
        {fixed_size(PARTITION_PARTS_MAX + 1, 0), &large, "4097 parts of one variable are over"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct partition partition;

        REFUSES(partition_choose(&cases[i].spec, cases[i].type, &partition, &err),
                ERR_INVALID_ARGUMENT, cases[i].words, &err);
    }
}

/* --- slicings ------------------------------------------------------------------------------ */

static void
slicings_are_refused_in_tensorflows_words(void **state)
{
    const struct {
        const char *id;
        struct shape shape, slicing;
        const char *words;
    } cases[] = {
        {"partition/error/two-dims", exprs_shape(2, 4, 4), exprs_shape(2, 2, 2),
         "Can only slice a variable along one dimension: shape: [4, 4], slicing: [2, 2]"},
        {"partition/error/too-many", exprs_shape(2, 2, 4), exprs_shape(2, 3, 1),
         "Cannot create 3 slices for size 2. shape: [2, 4], slicing: [3, 1]"},
        {"partition/error/scalar", scalar(), scalar(),
         "A partitioned Variable must have rank at least 1"},
        {"no parts", exprs_shape(2, 2, 4), exprs_shape(2, 1, 0),
         "for some axes: [1, 0]. Cannot create 0 slices for size 4. shape: [2, 4], slicing: [1, "
         "0]"},
        {"no parts, and two axes", exprs_shape(3, 4, 4, 4), exprs_shape(3, 2, 2, 0),
         "Partitioner returned zero partitions for some axes: [2, 2, 0]"},
        {"no elements", exprs_shape(2, 0, 4), exprs_shape(2, 1, 1),
         "Cannot create 1 slices for size 0. shape: [0, 4], slicing: [1, 1]"},
        {"another rank", exprs_shape(2, 2, 4), exprs_shape(1, 2),
         "The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: [2, 4], "
         "slicing: [2]"},
        {"nothing for a vector", exprs_shape(1, 4), scalar(), "shape: [4], slicing: []"},
        {"too many to show", exprs_shape(1, 5000), exprs_shape(1, 4097),
         "4097 parts of one variable are over the limit of 4096. shape: [5000], slicing: [4097]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct partition partition;

        print_message("%s\n", cases[i].id);
        REFUSES(partition_of_slicing(&cases[i].shape, &cases[i].slicing, &partition, &err),
                ERR_INVALID_ARGUMENT, cases[i].words, &err);
    }
}

static void
a_part_is_found_by_where_it_is(void **state)
{
    const struct shape shapes[] = {exprs_shape(2, 20, 43), exprs_shape(2, 43, 20),
                                   exprs_shape(1, 9), exprs_shape(3, 2, 7, 2)};
    const uint32_t axes[] = {1, 0, 0, 1}, counts[] = {4, 43, 1, 3};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct partition partition = {.axis = axes[i], .count = counts[i]};

        for (uint32_t part = 0; part < counts[i]; part++) {
            struct partition_part of = partition_part_of(&partition, &shapes[i], part);

            assert_int_equal(partition_part_at(&partition, &shapes[i], of.offset, &of.shape), part);
            of.shape.dims[axes[i]]++;
            assert_int_equal(partition_part_at(&partition, &shapes[i], of.offset, &of.shape),
                             counts[i]);
            of.shape.dims[axes[i]]--;
            of.offset[axes[i]] = UINT64_MAX - part;
            assert_int_equal(partition_part_at(&partition, &shapes[i], of.offset, &of.shape),
                             counts[i]);
        }
    }
}

static void
shards_of_parts_are_kept_in_few_bytes(void **state)
{
    uint8_t room[3 * PARTITION_SHARD_BYTES];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        partition_put_shard(room, i, i * 49999);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(partition_part_shard(bytes_of(room, sizeof room), i, 7), i * 49999);
    assert_int_equal(partition_part_shard(bytes_of(NULL, 0), 2, 7), 7);
}

/* The save specs of all parts, one after the other, separated by '|'. */
static void
specs_must_be(const char *id, struct shape shape, struct shape slicing, const char *expected)
{
    struct err err = ERR_INIT;
    struct partition partition;
    char all[1024] = "", text[PARTITION_TEXT_BYTES_MAX];

    print_message("%s\n", id);
    WORKS(partition_of_slicing(&shape, &slicing, &partition, &err), &err);
    for (uint32_t i = 0; i < partition.count; i++) {
        struct partition_part part = partition_part_of(&partition, &shape, i);
        size_t used = strlen(all);

        snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : "|",
                 partition_part_save_spec(&part, &shape, text));
    }
    assert_string_equal(all, expected);
}

static void
what_remains_goes_to_the_first_parts(void **state)
{
    const struct shape uneven = exprs_shape(2, 20, 43);

    (void)state;
    specs_must_be("partition/save-specs/uneven-1", uneven, exprs_shape(2, 1, 1), "20 43 0,20:0,43");
    specs_must_be("partition/save-specs/uneven-2", uneven, exprs_shape(2, 1, 2),
                  "20 43 0,20:0,22|20 43 0,20:22,21");
    specs_must_be("partition/save-specs/uneven-3", uneven, exprs_shape(2, 1, 3),
                  "20 43 0,20:0,15|20 43 0,20:15,14|20 43 0,20:29,14");
    specs_must_be("partition/save-specs/uneven-4", uneven, exprs_shape(2, 1, 4),
                  "20 43 0,20:0,11|20 43 0,20:11,11|20 43 0,20:22,11|20 43 0,20:33,10");
    specs_must_be("partition/save-specs/even-10", exprs_shape(2, 200, 40), exprs_shape(2, 1, 10),
                  "200 40 0,200:0,4|200 40 0,200:4,4|200 40 0,200:8,4|200 40 0,200:12,4|"
                  "200 40 0,200:16,4|200 40 0,200:20,4|200 40 0,200:24,4|200 40 0,200:28,4|"
                  "200 40 0,200:32,4|200 40 0,200:36,4");
    specs_must_be("partition/save-specs/degenerate", exprs_shape(2, 10, 43), exprs_shape(2, 1, 1),
                  "10 43 0,10:0,43");
    specs_must_be("the first axis", exprs_shape(3, 3, 1, 2), exprs_shape(3, 2, 1, 1),
                  "3 1 2 0,2:0,1:0,2|3 1 2 2,1:0,1:0,2");
    specs_must_be("one element each", exprs_shape(1, 3), exprs_shape(1, 3), "3 0,1|3 1,1|3 2,1");
}

static void
parts_cover_every_element_once(void **state)
{
    (void)state;
    for (int dim = 1; dim < 40; dim++) {
        for (uint32_t count = 1; count <= (uint32_t)dim; count++) {
            struct partition partition = {.axis = 1, .count = count};
            struct shape shape = exprs_shape(3, 2, dim, 3);
            struct shape slicing = partition_slicing_of(&partition, &shape);
            uint64_t next = 0, length = (uint64_t)dim;

            assert_true(partition_fits(&partition, &shape));
            assert_int_equal(slicing.dims[0] * slicing.dims[1] * slicing.dims[2], count);
            for (uint32_t i = 0; i < count; i++) {
                struct partition_part part = partition_part_of(&partition, &shape, i);

                assert_int_equal(part.offset[1], next);
                assert_true(part.offset[0] == 0 && part.offset[2] == 0);
                assert_in_range(part.shape.dims[1], 1, length);
                assert_true(part.shape.dims[0] == 2 && part.shape.dims[2] == 3);
                length = part.shape.dims[1];
                next += length;
            }
            assert_int_equal(next, dim);
        }
    }
}

static void
texts_have_room_for_the_largest(void **state)
{
    struct shape shape = {.rank = SHAPE_RANK_MAX};
    struct partition partition = {.axis = 31, .count = PARTITION_PARTS_MAX};
    struct partition_part part;
    char text[PARTITION_TEXT_BYTES_MAX], name[PARTITION_NAME_BYTES_MAX];
    char longest[NAME_BYTES_MAX + 1] = {0};

    (void)state;
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = UINT64_MAX;
    part = partition_part_of(&partition, &shape, 0);
    for (uint32_t i = 0; i < shape.rank; i++) {
        part.shape.dims[i] = UINT64_MAX;
        part.offset[i] = UINT64_MAX;
    }
    assert_int_equal(strlen(partition_part_save_spec(&part, &shape, text)), 32 * 63 - 1);
    part.offset[31] = 1;
    part.shape.dims[31] = 5;
    partition_part_slice(&part, text);
    assert_string_equal(text + strlen(text) - 4, ",1:6");
    memset(longest, 'n', NAME_BYTES_MAX);
    partition_part_name(longest, PARTITION_PARTS_MAX - 1, name);
    assert_string_equal(name + NAME_BYTES_MAX, "/part_4095");
    assert_string_equal(partition_part_name("w", 0, name), "w/part_0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitioners_give_tensorflows_numbers),
        cmocka_unit_test(partitioners_stop_at_their_limits),
        cmocka_unit_test(partitioners_refuse_what_means_nothing),
        cmocka_unit_test(slicings_are_refused_in_tensorflows_words),
        cmocka_unit_test(a_part_is_found_by_where_it_is),
        cmocka_unit_test(shards_of_parts_are_kept_in_few_bytes),
        cmocka_unit_test(what_remains_goes_to_the_first_parts),
        cmocka_unit_test(parts_cover_every_element_once),
        cmocka_unit_test(texts_have_room_for_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
