/* Private to service/variable/tensor_set.c: what a set keeps, and one value on its way into it. */
#ifndef SERVICE_VARIABLE_TENSOR_SET_SOURCE_H
#define SERVICE_VARIABLE_TENSOR_SET_SOURCE_H

#include "service/variable/tensor_set.h"
#include "store/value.h"

/* A list of chunks that was not looked at. */
struct tensor_set_delayed {
    uint64_t id, size;
};

/* Memory blocks owned by the set: copies and pattern buffers, chained. */
struct tensor_set_block {
    struct tensor_set_block *next;
    uint8_t *bytes;
};

struct tensor_set_keep {
    struct service *service;
    struct store_lease *lease; /* opened when first needed */
    struct tensor_set_block *blocks;
    bool brief;
    uint64_t copied_bytes; /* in blocks */
    struct arena arena;    /* names */
    bool is_outline;
    struct store_snapshot *snapshot;    /* of an outline that is not settled */
    struct tensor_set_delayed *delayed; /* by number, from 1 */
    size_t delayed_count, delayed_capacity;
};

/* What a whole value, a part of it, or its conversion need to be read. */
struct tensor_set_source {
    struct tensor_set *set;
    struct value_reader reader;
    uint32_t element_size;
    const struct slice *slice; /* NULL: not a slice of it */
    const struct sparse *rows; /* NULL: not rows of it */
    const struct shape *shape; /* of the part */
    uint8_t *gather;           /* the copy being filled, or NULL: lend spans */
};

/* The next run of the set's; whoever adds an entry counts its runs. */
ERR_MUST_CHECK enum err_code tensor_set_add_span(struct tensor_set *set, struct bytes span,
                                                 struct err *err);
/* Spans may point into the reader's pattern: the set keeps it. */
ERR_MUST_CHECK enum err_code tensor_set_keep_pattern(struct tensor_set_source *s, struct err *err);

/* A slice, or rows. */
bool tensor_set_is_part(const struct tensor_set_source *s);
/* Runs where they lie, of bytes [offset, offset + size) of the whole. */
ERR_MUST_CHECK enum err_code tensor_set_lend(struct tensor_set_source *s, uint64_t offset,
                                             uint64_t size, struct err *err);
/* The value or its part, of `size` bytes: copied, or lent where it lies in long runs. */
ERR_MUST_CHECK enum err_code tensor_set_take(struct tensor_set_source *s, uint64_t size, bool copy,
                                             struct err *err);
/* Replaces the copied bytes of the entry by their conversion. */
ERR_MUST_CHECK enum err_code tensor_set_cast(struct tensor_set_source *s,
                                             struct tensor_set_entry *entry, enum dtype to,
                                             struct err *err);

#endif
