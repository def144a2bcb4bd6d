/* Gradients added up, as TensorFlow's conditional accumulators do it: dense ones element by element
 * in their dtype, in the order in which they come; of sparse ones each row by itself, with how many
 * gradients had it. The average of a row is over those. Private to service/. */
#ifndef SERVICE_TRAINING_ACCUMULATION_SUM_H
#define SERVICE_TRAINING_ACCUMULATION_SUM_H

#include "service/record/record_accumulation.h"
#include "service/run/draft.h"
#include "service/training/sparse.h"

/* --- dense --------------------------------------------------------------------------------- */

/* Elements [first, first + count) of a gradient: where they lie, or in `room`, which has room for
 * ACCUMULATION_PIECE_BYTES. */
enum { ACCUMULATION_PIECE_BYTES = STORE_BULK_BYTES };
typedef enum err_code accumulation_read(void *context, uint64_t first, uint64_t count,
                                        uint8_t *room, const void **out, struct err *err);

/* The gradient added to the sum `before` (NULL: it is the first); `name`: the variable's. *out: for
 * draft_put_value. */
ERR_MUST_CHECK enum err_code accumulation_add_dense(struct draft *draft, const char *name,
                                                    const struct tensor_type *type,
                                                    const struct value_ref *before,
                                                    accumulation_read *read, void *context,
                                                    struct draft_value **out, struct err *err);

/* A sum that is averaged while it is read. Owned: accumulation_average_drop. */
struct accumulation_average {
    bool open;
    struct value_reader sum;
    uint8_t *room; /* owned */
    enum dtype dtype;
    uint32_t divisor;
};
void accumulation_average_drop(struct accumulation_average *average); /* a zeroed one is fine */
ERR_MUST_CHECK enum err_code
accumulation_average_open(const struct store_view *view, const struct sum_record *sum,
                          uint32_t divisor, struct accumulation_average *out, struct err *err);
/* (sum + last) / divisor; `last`: as many elements of the last gradient, NULL: the sum has all.
 * `out` may be `last`. At most ACCUMULATION_PIECE_BYTES at a time. */
ERR_MUST_CHECK enum err_code accumulation_average_read(struct accumulation_average *average,
                                                       uint64_t first, uint64_t count,
                                                       const void *last, uint8_t *out,
                                                       struct err *err);

/* --- sparse -------------------------------------------------------------------------------- */

/* Each row once, ascending. Owned: accumulation_rows_drop. */
struct accumulation_rows {
    uint64_t width, count;
    uint64_t *numbers;
    uint32_t *counts;
    uint8_t *values;
};
void accumulation_rows_drop(struct accumulation_rows *rows); /* a zeroed one is fine */
/* ERR_DATA_LOSS when the rows are out of order. */
ERR_MUST_CHECK enum err_code accumulation_rows_load(const struct store_view *view,
                                                    const struct sum_record *sum,
                                                    struct accumulation_rows *out, struct err *err);
/* `sum` (a zeroed one is fine) and a gradient that has each row once; `order` as sparse_order's.
 * ERR_PAYLOAD_TOO_LARGE when they take more than bytes_max (expression_max_bytes). */
ERR_MUST_CHECK enum err_code accumulation_rows_add(const struct accumulation_rows *sum,
                                                   const struct sparse *gradient,
                                                   const uint64_t *order, const uint8_t *values,
                                                   enum dtype dtype, uint64_t bytes_max,
                                                   struct accumulation_rows *out, struct err *err);
/* Each row divided by its count, in place. */
ERR_MUST_CHECK enum err_code accumulation_rows_average(struct accumulation_rows *rows,
                                                       enum dtype dtype, struct err *err);

/* Values, numbers, counts: for draft_put_value. */
enum { ACCUMULATION_ROWS_VALUES = 3 };
ERR_MUST_CHECK enum err_code
accumulation_rows_write(struct draft *draft, const char *name, const struct accumulation_rows *rows,
                        enum dtype dtype, struct draft_value *out[static ACCUMULATION_ROWS_VALUES],
                        struct err *err);

#endif
