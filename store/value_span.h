/* Where the bytes of a value lie: pure arithmetic from (size, class), so that no list has to say
 * it.
 *
 * STORE_CLASS_BULK: as many whole bulk chunks as fit; a tail over VALUE_TAIL_ROWS_MAX rows chunks
 * is one more (shorter) bulk chunk, a smaller tail is rows chunks. STORE_CLASS_ROWS: rows chunks
 * only. Every chunk but the last of its class is full. */
#ifndef STORE_VALUE_SPAN_H
#define STORE_VALUE_SPAN_H

#include "store/store.h"

#define VALUE_SIZE_MAX (UINT64_C(1) << 48) /* bytes; so that sums of sizes cannot overflow */
enum { VALUE_TAIL_ROWS_MAX = 8 };

struct value_layout {
    uint64_t size;
    enum store_class class; /* as asked for; of the leading chunks when they are whole */
    uint32_t bulk_count;    /* leading bulk chunks; the last of them may be short */
    uint32_t chunk_count;   /* with the rows chunks that follow; 0 for size 0 */
};

/* One chunk of a layout. */
struct value_span {
    uint64_t offset; /* of its first byte in the value */
    uint32_t length;
    enum store_class class;
};

/* Fails with ERR_PAYLOAD_TOO_LARGE when the size is over VALUE_SIZE_MAX or needs more chunks than
 * can be counted. */
ERR_MUST_CHECK enum err_code value_layout_of(uint64_t size, enum store_class class,
                                             struct value_layout *out, struct err *err);
/* index < chunk_count */
struct value_span value_layout_span(const struct value_layout *layout, uint32_t index);
/* Index of the chunk that holds the byte at `offset` (< size). */
uint32_t value_layout_index(const struct value_layout *layout, uint64_t offset);

#endif
