/* The head of a value that is not inline: one small record, the only one a save or a release of one
 * more reference touches. Everything in it is checked against itself whenever it is read. */
#ifndef STORE_VALUE_HEAD_H
#define STORE_VALUE_HEAD_H

#include "store/value.h"
#include "store/value_pattern.h"
#include "store/value_span.h"

struct value_recipe {
    uint32_t size; /* 0: there is none */
    uint8_t bytes[VALUE_RECIPE_BYTES_MAX];
};

struct value_head {
    uint64_t id;          /* from the key */
    uint32_t refs;        /* records that name the value; never 0 */
    enum value_kind kind; /* VALUE_RECORD or VALUE_CHUNKS */
    uint64_t family;      /* VALUE_CHUNKS: id of the family's first value; VALUE_RECORD: 0 */
    /* Number of the last fork of this list, 0 when it was never forked: a chunk made after it is
     * named by this list alone. */
    uint64_t forked;
    struct value_layout layout;   /* of a record: its size and no chunks */
    struct value_pattern pattern; /* where the list says chunk 0 … */
    struct value_recipe recipe;   /* … or this: one of them at most */
};

/* Chunks, and whole segments of the list, may be missing: they are pattern, or made. */
bool value_head_has_gaps(const struct value_head *head);
/* The bytes [offset, offset + size) that the gaps of this value have. */
ERR_MUST_CHECK enum err_code value_gap_fill(const struct store *store,
                                            const struct value_head *head, uint64_t offset,
                                            uint64_t size, uint8_t *out, struct err *err);

/* Reads a head. ERR_DATA_LOSS when it is missing or damaged. */
ERR_MUST_CHECK enum err_code value_head_read(const struct store_view *view, uint64_t id,
                                             struct value_head *out, struct err *err);
/* And compares it with the ref that names it (VALUE_RECORD, VALUE_CHUNKS). */
ERR_MUST_CHECK enum err_code value_head_of(const struct store_view *view,
                                           const struct value_ref *ref, struct value_head *out,
                                           struct err *err);
/* Decodes the record of value `id`. */
ERR_MUST_CHECK enum err_code value_head_decode(uint64_t id, struct bytes record,
                                               struct value_head *out, struct err *err);
ERR_MUST_CHECK enum err_code value_head_write(struct store_txn *txn, const struct value_head *head,
                                              struct err *err);
ERR_MUST_CHECK enum err_code value_head_delete(struct store_txn *txn, const struct value_head *head,
                                               struct err *err);
/* The ref a record keeps to name this value. */
struct value_ref value_head_ref(const struct value_head *head);

/* The bytes of a VALUE_RECORD. Borrows from the view. ERR_DATA_LOSS when missing or of another
 * size. */
ERR_MUST_CHECK enum err_code value_data_read(const struct store_view *view,
                                             const struct value_head *head, struct bytes *out,
                                             struct err *err);
ERR_MUST_CHECK enum err_code value_data_write(struct store_txn *txn, const struct value_head *head,
                                              const void *bytes, struct err *err);

#endif
