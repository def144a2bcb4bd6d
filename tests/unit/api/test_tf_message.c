/* Shapes, slices, versions and element types of TensorFlow's checkpoints. */
#include "api/file/tf_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "api/file/proto.h"
#include "store/base/scope.h"

static void
element_types_have_tensorflows_numbers(void **state)
{
    enum dtype dtype = DTYPE_UNSET;
    size_t kept = 0;

    (void)state;
    assert_string_equal(api_tf_dtype_name(1), "DT_FLOAT");
    assert_string_equal(api_tf_dtype_name(7), "DT_STRING");
    assert_string_equal(api_tf_dtype_name(21), "DT_VARIANT");
    assert_string_equal(api_tf_dtype_name(32), "DT_UINT2");
    assert_null(api_tf_dtype_name(0));
    assert_null(api_tf_dtype_name(33));
    assert_null(api_tf_dtype_name(101));
    for (uint64_t number = 0; number < 200; number++) {
        if (!api_tf_dtype_of(number, &dtype))
            continue;
        assert_int_equal(api_tf_dtype_number(dtype), number);
        assert_non_null(api_tf_dtype_name(number));
        kept++;
    }
    assert_int_equal(kept, DTYPE_COUNT);
    assert_true(api_tf_dtype_of(25, &dtype));
    assert_int_equal(dtype, DTYPE_FLOAT8_E4M3FN);
    assert_true(api_tf_dtype_of(17, &dtype));
    assert_int_equal(dtype, DTYPE_UINT16);
    assert_false(api_tf_dtype_of(20, &dtype));
    assert_false(api_tf_dtype_of(((uint64_t)1 << 32) + 1, &dtype));
}

static void
append_dims(struct buf *message, const int64_t *dims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(buf) dim = {0};

        buf_init(&dim, 100);
        assert_int_equal(api_proto_put_number(&dim, 1, (uint64_t)dims[i], NULL), OK);
        assert_int_equal(api_proto_put_bytes(message, 2, buf_bytes(&dim), NULL), OK);
    }
}

static enum err_code
check_dims(const int64_t *dims, size_t count, struct api_tf_shape *out, const char **reason,
           struct err *err)
{
    AUTO(buf) message = {0};

    *out = (struct api_tf_shape){.rank = 0};
    buf_init(&message, 1 << 20);
    append_dims(&message, dims, count);
    TRY(api_tf_shape_read(buf_bytes(&message), out, err));
    return api_tf_shape_check(out, reason, err);
}

static void
shapes_that_can_be_kept_are_read_and_written(void **state)
{
    static const struct {
        int64_t dims[4];
        size_t rank;
    } shapes[] = {{{0}, 0}, {{0}, 1}, {{7}, 1}, {{128, 3}, 2}, {{2, 0, 300}, 3}, {{1, 2, 3, 4}, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        AUTO(buf) written = {0};
        AUTO(buf) expected = {0};
        struct api_tf_shape shape;
        const char *reason = NULL;

        assert_int_equal(check_dims(shapes[i].dims, shapes[i].rank, &shape, &reason, NULL), OK);
        assert_null(reason);
        assert_int_equal(shape.rank, shapes[i].rank);
        assert_int_equal(shape.shape.rank, shapes[i].rank);
        for (size_t d = 0; d < shapes[i].rank; d++)
            assert_int_equal(shape.shape.dims[d], shapes[i].dims[d]);
        buf_init(&written, 1000);
        buf_init(&expected, 1000);
        append_dims(&expected, shapes[i].dims, shapes[i].rank);
        assert_int_equal(api_tf_shape_append(&written, &shape.shape, NULL), OK);
        assert_true(bytes_equal(buf_bytes(&written), buf_bytes(&expected)));
    }
}

static void
shapes_that_cannot_be_are_damage(void **state)
{
    static int64_t many[300];
    struct {
        const int64_t *dims;
        size_t rank;
        const char *words;
    } broken[] = {
        {(const int64_t[]){-2, -3}, 2, "negative"},
        {(const int64_t[]){-1}, 1, "negative"},
        {(const int64_t[]){INT64_MIN, 0}, 2, "negative"},
        {(const int64_t[]){1LL << 32, 1LL << 32}, 2, "2^63"},
        {(const int64_t[]){1LL << 32, 0, 1LL << 31}, 3, "2^63"},
        {(const int64_t[]){0, 1LL << 62, 4}, 3, "2^63"},
        {(const int64_t[]){1LL << 32, 1LL << 32, 2}, 3, "2^63"},
        {many, 300, "300 dimensions"},
        {many, 255, "255 dimensions"},
    };

    (void)state;
    for (size_t i = 0; i < 300; i++)
        many[i] = 1;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct api_tf_shape shape;
        const char *reason = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(check_dims(broken[i].dims, broken[i].rank, &shape, &reason, &err),
                         ERR_INVALID_ARGUMENT);
        if (strstr(err.text, broken[i].words) == NULL)
            fail_msg("%zu: '%s' lacks '%s'", i, err.text, broken[i].words);
    }
}

static void
shapes_that_are_only_too_much_for_us_have_a_reason(void **state)
{
    static int64_t many[40];
    struct api_tf_shape shape;
    const char *reason = NULL;

    (void)state;
    for (size_t i = 0; i < 40; i++)
        many[i] = 1;
    assert_int_equal(check_dims(many, 33, &shape, &reason, NULL), OK);
    assert_non_null(reason);
    assert_int_equal(check_dims(many, 32, &shape, &reason, NULL), OK);
    assert_null(reason);
    assert_int_equal(check_dims((const int64_t[]){1LL << 48}, 1, &shape, &reason, NULL), OK);
    assert_non_null(reason);
}

/* A shape that is there twice is merged; a Dim's name and a size of another wire type are passed
 * over; an unknown rank is told. */
static void
shapes_are_read_as_protobuf_does(void **state)
{
    struct api_tf_shape shape = {.rank = 0};
    const char *reason = NULL;

    (void)state;
    assert_int_equal(api_tf_shape_read(bytes_of("\x12\x05\x08\x03\x12\x01x", 7), &shape, NULL), OK);
    assert_int_equal(
        api_tf_shape_read(bytes_of("\x12\x07\x08\x05\x0d\x01\x01\x01\x01", 9), &shape, NULL), OK);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.shape.dims[0], 3);
    assert_int_equal(shape.shape.dims[1], 5);
    assert_int_equal(api_tf_shape_read(bytes_of("\x18\x01", 2), &shape, NULL), OK);
    assert_int_equal(api_tf_shape_check(&shape, &reason, NULL), ERR_INVALID_ARGUMENT);
}

static void
slices_are_read_checked_and_written(void **state)
{
    /* [(0, 4), whole] */
    struct bytes message = bytes_of("\x0a\x02\x10\x04\x0a\x00", 6);
    struct shape whole = {.rank = 2, .dims = {9, 3}}, part;
    struct api_tf_slice slice = {.rank = 0};
    uint64_t first[SHAPE_RANK_MAX];
    AUTO(buf) written = {0};

    (void)state;
    assert_int_equal(api_tf_slice_read(message, &slice, NULL), OK);
    assert_int_equal(slice.rank, 2);
    assert_int_equal(api_tf_slice_check(&slice, &whole, first, &part, NULL), OK);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[1], 0);
    assert_int_equal(part.rank, 2);
    assert_int_equal(part.dims[0], 4);
    assert_int_equal(part.dims[1], 3);
    buf_init(&written, 100);
    assert_int_equal(api_tf_slice_append(&written, slice.extents, slice.rank, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&written), message));

    slice.extents[0] = (struct api_extent){5, 4};
    assert_int_equal(api_tf_slice_check(&slice, &whole, first, &part, NULL), OK);
    assert_int_equal(first[0], 5);
    written.size = 0;
    assert_int_equal(api_tf_slice_append(&written, slice.extents, slice.rank, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&written), bytes_of("\x0a\x04\x08\x05\x10\x04\x0a\x00", 8)));
}

static void
slices_that_are_not_inside_are_damage(void **state)
{
    static const struct api_extent outside[] = {
        {6, 4},  {10, 1},        {-1, 2},        {0, 0},  {0, -2},
        {0, 10}, {INT64_MAX, 1}, {1, INT64_MAX}, {3, -1}, {INT64_MAX, INT64_MAX},
    };
    struct shape whole = {.rank = 1, .dims = {9}}, part;
    uint64_t first[SHAPE_RANK_MAX];
    struct api_tf_slice slice = {.rank = 2};

    (void)state;
    assert_int_equal(api_tf_slice_check(&slice, &whole, first, &part, NULL), ERR_INVALID_ARGUMENT);
    slice.rank = 1;
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        slice.extents[0] = outside[i];
        assert_int_equal(api_tf_slice_check(&slice, &whole, first, &part, NULL),
                         ERR_INVALID_ARGUMENT);
    }
    slice.extents[0] = (struct api_extent){8, 1};
    assert_int_equal(api_tf_slice_check(&slice, &whole, first, &part, NULL), OK);
}

static enum err_code
check_version(struct bytes message, struct err *err)
{
    struct api_tf_version version = {.producer = 0};

    TRY(api_tf_version_read(message, &version, err));
    return api_tf_version_check(&version, err);
}

static void
versions_say_who_may_read(void **state)
{
    AUTO(buf) written = {0};

    (void)state;
    assert_int_equal(check_version(bytes_of("", 0), NULL), OK);
    assert_int_equal(check_version(bytes_of("\x08\x01", 2), NULL), OK);
    assert_int_equal(check_version(bytes_of("\x08\x07\x10\x01\x18\x02\x1a\x02\x03\x04", 10), NULL),
                     OK);
    assert_int_equal(check_version(bytes_of("\x10\x02", 2), NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(check_version(bytes_of("\x18\x01", 2), NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(check_version(bytes_of("\x1a\x02\x05\x01", 4), NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(check_version(bytes_of("\x1a\x02\x05\x81", 4), NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(
        check_version(bytes_of("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), NULL),
        ERR_INVALID_ARGUMENT);
    buf_init(&written, 100);
    assert_int_equal(api_tf_version_put(&written, 3, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&written), bytes_of("\x1a\x02\x08\x01", 4)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(element_types_have_tensorflows_numbers),
        cmocka_unit_test(shapes_that_can_be_kept_are_read_and_written),
        cmocka_unit_test(shapes_that_cannot_be_are_damage),
        cmocka_unit_test(shapes_that_are_only_too_much_for_us_have_a_reason),
        cmocka_unit_test(shapes_are_read_as_protobuf_does),
        cmocka_unit_test(slices_are_read_checked_and_written),
        cmocka_unit_test(slices_that_are_not_inside_are_damage),
        cmocka_unit_test(versions_say_who_may_read),
    };

    return cmocka_run_group_tests_name("tf_message", tests, NULL, NULL);
}
