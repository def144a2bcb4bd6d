/* Arrays as text, against what NumPy printed. */
#include "api/json/numpy_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static const struct answer {
    enum dtype dtype;
    struct shape shape;
    const char *data;
    size_t size;
    const char *text;
} answers[] = {
#include "tests/vectors/numpy_text.inc"
};

static void
print(const struct answer *answer, struct buf *out, struct err *err)
{
    struct tensor_corners corners =
        tensor_corners_of(&answer->shape, API_NUMPY_ELEMENTS_MAX, API_NUMPY_EDGE);

    assert_int_equal(
        api_numpy_text(answer->dtype, &corners, bytes_of(answer->data, answer->size), out, err),
        OK);
}

static void
every_array_is_printed_as_numpy_prints_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct err err = ERR_INIT;
        AUTO(buf) out;

        buf_init(&out, TEXT_BYTES_MAX);
        print(&answers[i], &out, &err);
        assert_int_equal(buf_append_byte(&out, '\0', &err), OK);
        if (strcmp((const char *)out.data, answers[i].text) != 0)
            print_error("row %zu\n%s\nis wanted, got\n%s\n", i, answers[i].text,
                        (const char *)out.data);
        assert_string_equal((const char *)out.data, answers[i].text);
    }
}

static void
the_text_goes_behind_what_is_there(void **state)
{
    const struct answer *answer = &answers[0];
    struct err err = ERR_INIT;
    AUTO(buf) out;

    (void)state;
    buf_init(&out, TEXT_BYTES_MAX);
    assert_int_equal(buf_append_text(&out, "tensor_name:  w\n   ", &err), OK);
    print(answer, &out, &err);
    assert_int_equal(out.size, 19 + strlen(answer->text));
    assert_memory_equal(out.data, "tensor_name:  w\n   ", 19);
    assert_memory_equal(out.data + 19, answer->text, strlen(answer->text));
}

static void
a_text_over_the_limit_is_refused_and_a_lack_of_memory_told(void **state)
{
    static const uint8_t zeros[1000] = {0};
    struct shape shape = {1, {1000}};
    struct tensor_corners corners =
        tensor_corners_of(&shape, API_NUMPY_ELEMENTS_MAX, API_NUMPY_EDGE);
    struct err err = ERR_INIT;
    AUTO(buf) small;
    AUTO(buf) out;

    (void)state;
    buf_init(&small, 500);
    assert_int_equal(api_numpy_text(DTYPE_UINT8, &corners, bytes_of(zeros, 1000), &small, &err),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_true(small.size <= 500);
    buf_init(&out, TEXT_BYTES_MAX);
    for (uint64_t nth = 1; nth < 6; nth++) {
        err_clear(&err);
        out.size = 0;
        (void)mem_fail_at(nth, 1);
        enum err_code code =
            api_numpy_text(DTYPE_UINT8, &corners, bytes_of(zeros, 1000), &out, &err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        if (nth == 1)
            assert_int_equal(code, ERR_NO_MEMORY);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_array_is_printed_as_numpy_prints_it),
        cmocka_unit_test(the_text_goes_behind_what_is_there),
        cmocka_unit_test(a_text_over_the_limit_is_refused_and_a_lack_of_memory_told),
    };

    return cmocka_run_group_tests_name("numpy_text", tests, NULL, NULL);
}
