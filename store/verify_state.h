/* What the parts of verify share; for verify*.c alone. */
#ifndef STORE_VERIFY_STATE_H
#define STORE_VERIFY_STATE_H

#include "store/value_list.h"
#include "store/verify.h"

/* A value and what was seen of it. */
struct verify_value {
    struct value_head head;
    uint32_t named;   /* by owners' records */
    uint32_t members; /* family records */
    bool has_data;    /* VALUE_RECORD: its bytes */
};

/* One entry of one list. */
struct verify_entry {
    uint64_t id;
    uint64_t value; /* whose list */
    uint32_t index, crc, length;
    bool exclusive; /* no other list may have it */
};

struct verify_ids {
    uint64_t *ids;
    size_t count, capacity;
    bool failed; /* no memory for more */
};

struct verify_state {
    struct store *store;
    const struct store_view *view;
    struct store_verify_report *report;
    bool payloads;
    struct verify_value *values; /* by id */
    size_t value_count, value_capacity;
    struct verify_entry *entries; /* of the family being looked at */
    size_t entry_count, entry_capacity;
    uint64_t family;
    struct value_segment *segment; /* scratch */
    struct verify_ids named;       /* chunks of all families seen so far; by id at the end */
    struct verify_ids before;      /* chunks that were there before the snapshot, by id */
};

typedef enum err_code verify_visit(struct verify_state *s, struct bytes key, struct bytes record,
                                   struct err *err);

void verify_finding(struct verify_state *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* ERR_DATA_LOSS becomes a finding and is forgotten; other codes are returned. */
ERR_MUST_CHECK enum err_code verify_absorb(struct verify_state *s, enum err_code code,
                                           struct err *err);
/* Visits all records with a prefix; damaged ones become findings. */
ERR_MUST_CHECK enum err_code verify_scan(struct verify_state *s, struct bytes prefix,
                                         verify_visit *visit, struct err *err);
/* NULL when there is no such value. */
struct verify_value *verify_find_value(struct verify_state *s, uint64_t id);

/* verify_lists.c: family records, lists and their chunks. */
ERR_MUST_CHECK enum err_code verify_lists(struct verify_state *s, struct err *err);
/* verify_chunks.c: gathers what is there (before the snapshot), then what nothing names. */
ERR_MUST_CHECK enum err_code verify_chunks_before(struct verify_state *s, struct err *err);
ERR_MUST_CHECK enum err_code verify_chunks_after(struct verify_state *s, struct err *err);
ERR_MUST_CHECK enum err_code verify_ids_add(struct verify_ids *ids, uint64_t id, struct err *err);
void verify_ids_sort(struct verify_ids *ids);

#endif
