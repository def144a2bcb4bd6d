/* A short element repeated over a whole value: fills such as zeros cost one record.
 *
 * The element's size divides VALUE_PATTERN_BYTES_MAX, and so does every chunk's beginning,
 * therefore the 16-byte repetition kept here is in phase wherever `offset` counts from the value's
 * first byte. */
#ifndef STORE_VALUE_PATTERN_H
#define STORE_VALUE_PATTERN_H

#include "store/value.h"

struct value_pattern {
    uint32_t size;                          /* of the element: 1, 2, 4, 8, 16; 0: there is none */
    uint8_t bytes[VALUE_PATTERN_BYTES_MAX]; /* the element repeated */
};

bool value_pattern_size_fits(uint64_t pattern_size);
/* pattern_size fits. */
struct value_pattern value_pattern_of(const void *element, uint32_t pattern_size);
/* The bytes a value of this pattern has at [offset, offset + size). */
void value_pattern_fill(const struct value_pattern *pattern, uint64_t offset, uint8_t *out,
                        size_t size);
/* CRC-32C of the first `size` bytes of the pattern, in O(log size) steps. */
uint32_t value_pattern_crc(const struct value_pattern *pattern, uint64_t size);

#endif
