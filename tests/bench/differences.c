/* Differences of two runs of 64 MiB beside the memory: processor time of memcmp for two runs that
 * are the same. Prints a table; decides nothing. Usage: differences [rounds] */
#include <string.h>

#include "service/tensor/difference.h"
#include "store/base/alloc.h"
#include "tests/bench/bench.h"

enum { RUN_BYTES = 64 << 20 };

static const enum dtype dtypes[] = {DTYPE_FLOAT32,  DTYPE_FLOAT64,   DTYPE_FLOAT16,
                                    DTYPE_BFLOAT16, DTYPE_INT32,     DTYPE_INT64,
                                    DTYPE_INT8,     DTYPE_COMPLEX64, DTYPE_FLOAT8_E4M3FN};

static double
gigabytes(double seconds)
{
    return 2.0 * RUN_BYTES / seconds * 1e-9;
}

int
main(int count, char **arguments)
{
    int rounds = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 9;
    uint8_t *a = mem_aligned(RUN_BYTES, NULL), *b = mem_aligned(RUN_BYTES, NULL);
    double *times, memory;
    int same = 0;

    if (rounds < 1 || rounds > 10000)
        rounds = 9;
    times = mem_zeroed((size_t)rounds, sizeof *times, NULL);
    if (a == NULL || b == NULL || times == NULL)
        return 1;
    for (size_t i = 0; i < RUN_BYTES; i++)
        a[i] = (uint8_t)(i % 4 == 3 ? 0x3F : i * 7 % 251);
    memcpy(b, a, RUN_BYTES);
    for (int i = 0; i < rounds; i++) {
        double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);

        same += memcmp(a, b, RUN_BYTES) == 0;
        times[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
    }
    memory = median(times, rounds);
    for (size_t i = 0; i < RUN_BYTES; i += 64)
        b[i] ^= 1;
    printf("two runs of 64 MiB, median of %d\n", rounds);
    printf("%-16s %7.2f ms  %6.2f GB/s\n", "memcmp", memory * 1e3, gigabytes(memory));
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        struct kernel_difference found;
        double time;

        for (int i = 0; i < rounds; i++) {
            double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);

            kernel_difference(dtypes[d], a, b, RUN_BYTES / dtype_size(dtypes[d]), &found);
            same += found.changed == 0;
            times[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
        }
        time = median(times, rounds);
        printf("%-16s %7.2f ms  %6.2f GB/s  %5.2f of memcmp\n", dtype_name(dtypes[d]), time * 1e3,
               gigabytes(time), time / memory);
    }
    mem_free(times);
    mem_free(a);
    mem_free(b);
    return same == rounds ? 0 : 1;
}
