/* The list of a value's chunks, kept in segments so that touching one row of a huge value rewrites
 * one small record. A segment that is not there means "all pattern". */
#ifndef STORE_VALUE_LIST_H
#define STORE_VALUE_LIST_H

#include "store/value_head.h"

enum {
    VALUE_SEGMENT_ENTRIES = 1000,
    VALUE_ENTRY_BYTES = 16,
};

/* One chunk; stored as it is in memory: u64 id, u32 crc, u32 length, little-endian. id 0 (and crc
 * 0): the pattern. */
struct value_entry {
    uint64_t id;
    uint32_t crc; /* CRC-32C of the payload */
    uint32_t length;
};
_Static_assert(sizeof(struct value_entry) == VALUE_ENTRY_BYTES, "entries are stored as they are");

struct value_segment {
    uint32_t number;
    uint32_t first; /* index of its first chunk */
    uint32_t count; /* entries used: all VALUE_SEGMENT_ENTRIES but in the last segment; 0: nothing
                       here */
    bool present;   /* false: there is no record, the entries are all pattern */
    struct value_entry entries[VALUE_SEGMENT_ENTRIES];
};

uint32_t value_segment_count(const struct value_layout *layout);
/* Segment `number` as pattern throughout. */
void value_segment_init(struct value_segment *segment, const struct value_head *head,
                        uint32_t number);
/* ERR_DATA_LOSS when damaged, or missing in a value without pattern. */
ERR_MUST_CHECK enum err_code value_segment_read(const struct store_view *view,
                                                const struct value_head *head, uint32_t number,
                                                struct value_segment *out, struct err *err);
ERR_MUST_CHECK enum err_code value_segment_decode(const struct value_head *head, uint32_t number,
                                                  struct bytes record, struct value_segment *out,
                                                  struct err *err);
ERR_MUST_CHECK enum err_code value_segment_write(struct store_txn *txn, uint64_t id,
                                                 const struct value_segment *segment,
                                                 struct err *err);
/* The first present segment with number >= `from`; what lies between is pattern. *found false when
 * there is none. Puts and deletes are fine between two calls. */
ERR_MUST_CHECK enum err_code value_segment_next(const struct store_view *view,
                                                const struct value_head *head, uint32_t from,
                                                bool *found, struct value_segment *out,
                                                struct err *err);

#endif
