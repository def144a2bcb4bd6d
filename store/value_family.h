/* Values copied from one another: which of a list's chunks do others of its family name too?
 *
 * A chunk is shared only at its own position, so the answer needs no counters: compare the
 * segments. A chunk made after the list's last fork is not shared and needs not even that. */
#ifndef STORE_VALUE_FAMILY_H
#define STORE_VALUE_FAMILY_H

#include "store/value_list.h"

/* The other members of a family. Owns; release with value_family_drop. */
struct value_family {
    bool known;    /* siblings were looked up */
    uint64_t *ids; /* ascending */
    size_t count, capacity;
    size_t older;                  /* of them made before this list */
    struct value_segment *segment; /* scratch */
};

void value_family_drop(struct value_family *family);

ERR_MUST_CHECK enum err_code value_family_join(struct store_txn *txn, const struct value_head *head,
                                               struct err *err);
ERR_MUST_CHECK enum err_code value_family_leave(struct store_txn *txn,
                                                const struct value_head *head, struct err *err);

/* Whether it is known without looking at the others that this list alone has the entry's chunk. */
bool value_family_is_exclusive(const struct value_head *head, const struct value_entry *entry);
/* shared[i] becomes true when another list of the family has the chunk of entries[i]. `family`
 * begins zeroed and may be used again for other segments of the same value while the family stays
 * as it is. */
ERR_MUST_CHECK enum err_code value_family_mark(struct value_family *family,
                                               const struct store_view *view,
                                               const struct value_head *head,
                                               const struct value_segment *segment,
                                               bool shared[VALUE_SEGMENT_ENTRIES], struct err *err);

#endif
