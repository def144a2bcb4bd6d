#include "store/value_pattern.h"

#include "store/base/check.h"
#include "store/base/crc32c.h"

bool
value_pattern_size_fits(uint64_t pattern_size)
{
    return pattern_size != 0 && pattern_size <= VALUE_PATTERN_BYTES_MAX &&
           VALUE_PATTERN_BYTES_MAX % pattern_size == 0;
}

struct value_pattern
value_pattern_of(const void *element, uint32_t pattern_size)
{
    struct value_pattern pattern = {.size = pattern_size};

    CHECK(value_pattern_size_fits(pattern_size));
    for (uint32_t at = 0; at < VALUE_PATTERN_BYTES_MAX; at += pattern_size)
        memcpy(pattern.bytes + at, element, pattern_size);
    return pattern;
}

void
value_pattern_fill(const struct value_pattern *pattern, uint64_t offset, uint8_t *out, size_t size)
{
    size_t phase = (size_t)(offset % VALUE_PATTERN_BYTES_MAX);
    size_t done = size < VALUE_PATTERN_BYTES_MAX ? size : VALUE_PATTERN_BYTES_MAX;

    for (size_t i = 0; i < done; i++)
        out[i] = pattern->bytes[(phase + i) % VALUE_PATTERN_BYTES_MAX];
    while (done < size) { /* what is there is whole periods: double it */
        size_t more = done < size - done ? done : size - done;

        memcpy(out + done, out, more);
        done += more;
    }
}

uint32_t
value_pattern_crc(const struct value_pattern *pattern, uint64_t size)
{
    uint64_t periods = size / VALUE_PATTERN_BYTES_MAX;
    uint64_t run = VALUE_PATTERN_BYTES_MAX;
    uint32_t run_crc = crc32c(0, pattern->bytes, VALUE_PATTERN_BYTES_MAX), crc = 0;

    for (; periods != 0; periods >>= 1) {
        if (periods & 1)
            crc = crc32c_combine(crc, run_crc, run);
        run_crc = crc32c_combine(run_crc, run_crc, run);
        run *= 2;
    }
    return crc32c(crc, pattern->bytes, (size_t)(size % VALUE_PATTERN_BYTES_MAX));
}
