/* Tensors to hand out: names, types and the runs of memory their bytes lie in, all of one revision.
 *
 * Small values are copied; large ones are lent straight from the store under a lease, which ends
 * with tensor_set_drop. Nothing here holds a snapshot, so a slow receiver costs only its own
 * values; but an outline does, until it is settled. */
#ifndef SERVICE_VARIABLE_TENSOR_SET_H
#define SERVICE_VARIABLE_TENSOR_SET_H

#include "service/service.h"
#include "service/tensor/slice.h"
#include "service/tensor/tensor.h"
#include "service/variable/partition.h"
#include "store/base/arena.h"

struct tensor_set_entry {
    const char *name; /* borrows from the set; tensor names hold no NUL */
    struct tensor_type type;
    uint64_t size;     /* bytes */
    uint64_t revision; /* of the variable's last change; the set's for a checkpoint's tensors */
    uint64_t version;
    uint32_t position, shard;   /* of a checkpoint's: tensor_record */
    struct partition partition; /* of what it was saved from, or is; count 0: none */
    struct bytes part_shards;   /* of a checkpoint's: tensor_record; in the set's memory */
    size_t span_first, span_count;
    size_t delayed;  /* number of the value whose bytes were not looked up; 0: they were */
    bool has_crc32c; /* known without reading the bytes: a whole value as it is stored */
    uint32_t crc32c; /* of all of its bytes */
};

/* Owned: tensor_set_drop, on any thread. */
struct tensor_set {
    uint64_t revision; /* of the state read */
    bool has_step;     /* the model counts its steps: variable_read_some */
    int64_t step;
    struct tensor_set_entry *entries;
    size_t entry_count, entry_capacity;
    struct bytes *spans; /* of all entries */
    size_t span_count, span_capacity;
    struct tensor_set_keep *keep; /* lease, copies, pattern buffers */
};

void tensor_set_drop(struct tensor_set *set);
/* Copies entry i's bytes, whole. out has entry->size bytes. */
void tensor_set_copy(const struct tensor_set *set, size_t i, void *out);

/* --- outlines: where the bytes of few entries will be wanted -------------------------------- */

/* Of an outline large values have one run each, of their size, that lies nowhere and must not be
 * read: its address tells which entry's it is. Looking up where the bytes of a large value lie
 * costs a look at each of its chunks. */
bool tensor_set_is_outline(const struct tensor_set *set);
/* The number of the delayed entry that the run is of; 0: it has bytes. */
size_t tensor_set_delayed(const struct tensor_set *set, const struct bytes *run);
/* The entry's runs are looked up, if they were not. */
ERR_MUST_CHECK enum err_code tensor_set_fill(struct tensor_set *set, size_t i, struct err *err);
/* No more is filled: the snapshot ends. */
void tensor_set_settle(struct tensor_set *set);

/* What a thread that serves connections copies or makes at most. */
enum { TENSOR_SET_BRIEF_BYTES_MAX = 256 << 10 };

/* --- for service/ -------------------------------------------------------------------------- */

struct sparse;
struct store_snapshot;
struct value_ref;
/* What is added from now on is an outline, which keeps the snapshot then. */
void tensor_set_outline(struct tensor_set *set);
void tensor_set_keep_snapshot(struct tensor_set *set, struct store_snapshot *snapshot);
/* Begins an empty set on an open snapshot (borrowed, may be dropped before the set is). `brief`:
 * adding is ERR_DEFER where more than TENSOR_SET_BRIEF_BYTES_MAX would be copied, converted or
 * made.
 */
ERR_MUST_CHECK enum err_code tensor_set_open(struct service *service,
                                             const struct store_snapshot *snapshot, bool brief,
                                             struct tensor_set *out, struct err *err);
/* Adds a value. `slice` (NULL: whole) selects; `cast_to` (DTYPE_UNSET: as it is) converts. */
ERR_MUST_CHECK enum err_code tensor_set_add(struct tensor_set *set,
                                            const struct store_snapshot *snapshot, const char *name,
                                            size_t name_size, const struct tensor_type *type,
                                            const struct value_ref *value, struct bytes slice,
                                            enum dtype cast_to, struct err *err);
/* The entry added last is in parts; copies the shards. */
ERR_MUST_CHECK enum err_code tensor_set_divide(struct tensor_set *set,
                                               const struct partition *partition,
                                               struct bytes part_shards, struct err *err);
/* Adds rows of a value, in the order they are named in; `shape`: the result's. */
ERR_MUST_CHECK enum err_code
tensor_set_add_rows(struct tensor_set *set, const struct store_snapshot *snapshot, const char *name,
                    const struct tensor_type *type, const struct value_ref *value,
                    const struct sparse *rows, const struct shape *shape, enum dtype cast_to,
                    struct err *err);

#endif
