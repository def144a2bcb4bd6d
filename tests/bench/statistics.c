/* Statistics of 10 M elements beside the memory: processor time of one pass that only reads them.
 * Prints a table; decides nothing. Usage: statistics [rounds] */
#include <string.h>

#include "service/tensor/statistics.h"
#include "store/base/alloc.h"
#include "tests/bench/bench.h"

enum { ELEMENTS = 10000000, ELEMENT_BYTES_MAX = 8 };

static const enum dtype dtypes[] = {
    DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_FLOAT16, DTYPE_BFLOAT16,  DTYPE_INT32,
    DTYPE_INT64,   DTYPE_INT8,    DTYPE_BOOL,    DTYPE_COMPLEX64, DTYPE_FLOAT8_E4M3FN};

static uint64_t
read_all(const uint64_t *words, size_t count)
{
    uint64_t sums[16] = {0}, sum = 0;

    for (size_t i = 0; i + 16 <= count; i += 16)
        for (size_t k = 0; k < 16; k++)
            sums[k] ^= words[i + k];
    for (size_t k = 0; k < 16; k++)
        sum ^= sums[k];
    return sum;
}

int
main(int count, char **arguments)
{
    int rounds = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 9;
    const size_t room = (size_t)ELEMENTS * ELEMENT_BYTES_MAX;
    uint8_t *data = mem_aligned(room, NULL);
    volatile uint64_t kept = 0;
    double *times;

    if (rounds < 1 || rounds > 10000)
        rounds = 9;
    times = mem_zeroed((size_t)rounds, sizeof *times, NULL);
    if (data == NULL || times == NULL)
        return 1;
    for (size_t i = 0; i < room; i++)
        data[i] = (uint8_t)(i % 2 == 1 ? 0x3C : i * 7 % 251);
    printf("10 M elements, median of %d\n", rounds);
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        const size_t bytes = (size_t)ELEMENTS * dtype_size(dtypes[d]);
        double memory, time;

        memset(data, dtypes[d] == DTYPE_BOOL, dtypes[d] == DTYPE_BOOL ? bytes : 0);
        for (int i = 0; i < rounds; i++) {
            double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);

            kept = kept + read_all((const uint64_t *)(const void *)data, bytes / 8);
            times[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
        }
        memory = median(times, rounds);
        for (int i = 0; i < rounds; i++) {
            double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
            struct kernel_statistics found = {.count = 0};

            kernel_statistics(dtypes[d], data, ELEMENTS, &found);
            kept = kept + found.zero;
            times[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
        }
        time = median(times, rounds);
        printf("%-16s %7.2f ms, a reading pass %6.2f ms: %5.2f times that\n", dtype_name(dtypes[d]),
               time * 1e3, memory * 1e3, time / memory);
    }
    mem_free(times);
    mem_free(data);
    return 0;
}
