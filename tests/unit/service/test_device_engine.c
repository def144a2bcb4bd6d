/* Kernels on a device whose memory nobody else can touch: the bits and the errors are the host's,
 * bytes get there and back by upload and download alone, and nothing is left behind. Expressions
 * are compared wherever tests evaluate one (exprs_evaluate). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/twin_device.h"
#include "tests/unit/service/kernel_inputs.h"

static struct memory a, b, host, twin_out;

static void
must_agree(enum err_code wanted, const struct err *wanted_err, enum err_code got,
           const struct err *got_err)
{
    assert_int_equal(got, wanted);
    if (wanted != OK)
        assert_string_equal(got_err->text, wanted_err->text);
}

static void
check_binary(const struct device *twin, enum kernel_binary op, enum dtype dtype, uint64_t count,
             uint32_t *seed)
{
    struct kernel_operand x = {a.bytes, next_word(seed) >> 8 & 1};
    struct kernel_operand y = {b.bytes, next_word(seed) >> 8 & 1};
    struct err err = ERR_INIT, twin_err = ERR_INIT;
    enum err_code code, twin_code;

    fill(dtype, seed, (next_word(seed) >> 8 & 3) != 0, &a, count);
    fill(dtype, seed, (next_word(seed) >> 8 & 3) != 0, &b, count);
    memset(host.bytes, 0x11, sizeof host.bytes);
    memset(twin_out.bytes, 0x11, sizeof twin_out.bytes);
    code = kernel_binary(op, dtype, x, y, host.bytes, count, &err);
    twin_code = device_binary(twin, op, dtype, x, y, twin_out.bytes, count, &twin_err);
    must_agree(code, &err, twin_code, &twin_err);
    assert_memory_equal(twin_out.bytes, host.bytes, sizeof host.bytes);
    if (code != OK || (x.step == 0 && count > 1))
        return;
    /* In place, as values are combined. */
    assert_int_equal(device_binary(twin, op, dtype, x, y, a.bytes, count, NULL), OK);
    assert_memory_equal(a.bytes, host.bytes, count * dtype_size(dtype));
}

static void
numbers_are_combined_there_as_here(void **state)
{
    struct device twin;
    uint32_t seed = 11;

    (void)state;
    twin_device_open(&twin);
    for (int op = 0; op < KERNEL_BINARY_COUNT; op++)
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            for (size_t i = 1; i < sizeof counts / sizeof counts[0]; i += 3)
                if (kernel_binary_known((enum kernel_binary)op, (enum dtype)dtype))
                    check_binary(&twin, (enum kernel_binary)op, (enum dtype)dtype, counts[i],
                                 &seed);
    assert_true(twin_device_counts(&twin).kernels > 100);
    device_close(&twin); /* which checks that nothing is held */
}

static void
rows_are_changed_there_as_here(void **state)
{
    struct device twin;
    uint32_t seed = 12;

    (void)state;
    twin_device_open(&twin);
    for (int op = 0; op < KERNEL_SCATTER_COUNT; op++) {
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
            uint64_t count = counts[1 + next_word(&seed) % 12];
            struct kernel_operand update = {b.bytes, next_word(&seed) >> 8 & 1};

            if (!kernel_binary_known(KERNEL_ADD, (enum dtype)dtype) ||
                !kernel_scatter_known((enum kernel_scatter)op, (enum dtype)dtype))
                continue;
            fill((enum dtype)dtype, &seed, false, &host, count);
            fill((enum dtype)dtype, &seed, true, &b, count);
            memcpy(twin_out.bytes, host.bytes, sizeof host.bytes);
            kernel_scatter_row((enum kernel_scatter)op, (enum dtype)dtype, host.bytes, update,
                               count);
            assert_int_equal(device_scatter_row(&twin, (enum kernel_scatter)op, (enum dtype)dtype,
                                                twin_out.bytes, update, count, NULL),
                             OK);
            assert_memory_equal(twin_out.bytes, host.bytes, sizeof host.bytes);
        }
    }
    device_close(&twin);
}

static void
what_moves_is_what_is_read_and_written(void **state)
{
    const float step = 0.5F;
    float values[100] = {0};
    struct twin_counts counts_;
    struct device twin;

    (void)state;
    twin_device_open(&twin);
    assert_int_equal(device_binary(&twin, KERNEL_ADD, DTYPE_FLOAT32,
                                   (struct kernel_operand){values, 1},
                                   (struct kernel_operand){&step, 0}, values, 100, NULL),
                     OK);
    assert_true(values[0] == step && values[99] == step);
    counts_ = twin_device_counts(&twin);
    assert_int_equal(counts_.uploaded, sizeof values + sizeof step);
    assert_int_equal(counts_.downloaded, sizeof values);
    assert_int_equal(counts_.allocated, 3);
    assert_int_equal(counts_.held, 0);
    device_close(&twin);
}

static void
a_device_without_memory_leaves_everything_as_it_was(void **state)
{
    const float step = 0.5F;
    float values[100] = {0};
    struct device twin;

    (void)state;
    twin_device_open(&twin);
    for (uint64_t n = 0; n < 3; n++) {
        struct err err = ERR_INIT;

        twin_device_fail_after(&twin, n);
        assert_int_equal(device_binary(&twin, KERNEL_ADD, DTYPE_FLOAT32,
                                       (struct kernel_operand){values, 1},
                                       (struct kernel_operand){&step, 0}, values, 100, &err),
                         ERR_NO_MEMORY);
        assert_string_equal(err.text, "the device's memory is used up");
        assert_true(values[0] == 0);
        assert_int_equal(twin_device_counts(&twin).held, 0);
    }
    device_close(&twin);
}

static void
the_host_computes_where_the_bytes_lie(void **state)
{
    struct device cpu = {.kind = device_kind_of("CPU")};

    (void)state;
    assert_false(device_is_apart(NULL));
    assert_int_equal(device_open(&cpu, 2, NULL), OK);
    assert_false(device_is_apart(&cpu));
    assert_non_null(cpu.threads);
    device_close(&cpu);
    device_close(&cpu); /* again is fine */
}

static void
a_kind_without_an_engine_is_known_and_not_there(void **state)
{
    (void)state;
    assert_null(device_kind_of("GPU")->engine);
    assert_true(device_kind_of("GPU")->has_kernel(DTYPE_FLOAT32));
    assert_false(device_kind_of("GPU")->has_kernel(DTYPE_INT32));
    assert_false(device_kind_of("TPU")->has_kernel(DTYPE_FLOAT32));
    for (size_t i = 0; device_kind_at(i) != NULL; i++)
        assert_ptr_equal(device_kind_of(device_kind_at(i)->type), device_kind_at(i));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_combined_there_as_here),
        cmocka_unit_test(rows_are_changed_there_as_here),
        cmocka_unit_test(what_moves_is_what_is_read_and_written),
        cmocka_unit_test(a_device_without_memory_leaves_everything_as_it_was),
        cmocka_unit_test(the_host_computes_where_the_bytes_lie),
        cmocka_unit_test(a_kind_without_an_engine_is_known_and_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
