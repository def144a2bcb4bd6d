/* The bytes of a value, of a slice or of rows: lent where they lie, or copied and converted within
 * what one set may take of memory. */
#include "service/variable/tensor_set_source.h"

#include <inttypes.h>
#include <string.h>

#include "service/state.h"
#include "service/tensor/convert.h"
#include "service/training/sparse.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* A slice whose runs are shorter than this on average is gathered into memory. */
enum { LENT_RUN_BYTES_MIN = 4096 };

/* Takes `bytes`, also on failure. */
static enum err_code
keep_bytes(struct tensor_set *set, uint8_t *bytes, struct err *err)
{
    struct tensor_set_block *block = mem_alloc(sizeof *block, err);

    if (block == NULL) {
        mem_free(bytes);
        return ERR_NO_MEMORY;
    }
    *block = (struct tensor_set_block){.next = set->keep->blocks, .bytes = bytes};
    set->keep->blocks = block;
    return OK;
}

enum err_code
tensor_set_keep_pattern(struct tensor_set_source *s, struct err *err)
{
    uint8_t *pattern = s->reader.pattern_chunk;

    s->reader.pattern_chunk = NULL;
    return pattern == NULL ? OK : keep_bytes(s->set, pattern, err);
}

enum err_code
tensor_set_add_span(struct tensor_set *set, struct bytes span, struct err *err)
{
    struct bytes *grown =
        mem_grown(set->spans, set->span_count, &set->span_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    set->spans = grown;
    set->spans[set->span_count++] = span;
    return OK;
}

enum err_code
tensor_set_lend(struct tensor_set_source *s, uint64_t offset, uint64_t size, struct err *err)
{
    while (size > 0) {
        struct bytes run;

        TRY(value_run(&s->reader, offset, size, &run, NULL, err));
        TRY(tensor_set_add_span(s->set, run, err));
        offset += run.size;
        size -= run.size;
    }
    return OK;
}

static enum err_code
take_range(struct tensor_set_source *s, uint64_t offset, uint64_t result_offset, uint64_t size,
           struct err *err)
{
    if (s->gather != NULL)
        return value_copy(&s->reader, offset, size, s->gather + result_offset, err);
    return tensor_set_lend(s, offset, size, err);
}

static enum err_code
take_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct tensor_set_source *s = context;

    return take_range(s, source_first * s->element_size, result_first * s->element_size,
                      count * s->element_size, err);
}

static enum err_code
count_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
          struct err *err)
{
    uint64_t *runs = context;

    (void)source_first;
    (void)result_first;
    (void)count;
    (void)err;
    *runs += 1;
    return OK;
}

/* Working memory for a copy of `size` bytes, owned by the set. */
static enum err_code
new_copy(struct tensor_set *set, uint64_t size, uint8_t **out, struct err *err)
{
    uint64_t limit = set->keep->service->limits.expression_bytes_max;
    uint8_t *bytes;

    if (size > limit || set->keep->copied_bytes > limit - size)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "virtual values, slices and conversions here take %" PRIu64
                       " bytes of memory, over the limit of %" PRIu64
                       " bytes (expression_max_bytes): read it in parts",
                       set->keep->copied_bytes + size, limit);
    if (set->keep->brief && size > TENSOR_SET_BRIEF_BYTES_MAX)
        return ERR_DEFER;
    bytes = mem_aligned(size, err);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(keep_bytes(set, bytes, err));
    set->keep->copied_bytes += size;
    *out = bytes;
    return OK;
}

bool
tensor_set_is_part(const struct tensor_set_source *s)
{
    return s->slice != NULL || s->rows != NULL;
}

/* Rows that are copied are taken front to back, so that no part of the list is looked up twice. */
static enum err_code
each_run(struct tensor_set_source *s, slice_run *run, void *context, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint64_t *order = NULL;

    if (s->slice != NULL)
        return slice_each_run(s->slice, run, context, err);
    if (s->gather != NULL)
        TRY(sparse_order(s->rows, &order, err));
    return sparse_each_run(s->rows, order, run, context, err);
}

enum err_code
tensor_set_take(struct tensor_set_source *s, uint64_t size, bool copy, struct err *err)
{
    uint64_t runs = 0;

    if (tensor_set_is_part(s) && !copy) {
        TRY(each_run(s, count_run, &runs, err));
        copy = size / (runs ? runs : 1) < LENT_RUN_BYTES_MIN;
    }
    if (copy)
        TRY(new_copy(s->set, size, &s->gather, err));
    if (tensor_set_is_part(s))
        TRY(each_run(s, take_run, s, err));
    else
        TRY(take_range(s, 0, 0, size, err));
    if (s->gather != NULL)
        return tensor_set_add_span(s->set, bytes_of(s->gather, size), err);
    return OK;
}

enum err_code
tensor_set_cast(struct tensor_set_source *s, struct tensor_set_entry *entry, enum dtype to,
                struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    uint64_t count = shape_count(&entry->type.shape), size = count * dtype_size(to);
    uint8_t *converted = NULL;

    if (!tensor_cast_known(entry->type.dtype, to))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s cannot be converted to %s",
                       tensor_type_text(&entry->type, text), dtype_name(to));
    TRY(new_copy(s->set, size, &converted, err));
    tensor_cast(entry->type.dtype, s->gather, to, converted, count);
    s->set->span_count = entry->span_first;
    TRY(tensor_set_add_span(s->set, bytes_of(converted, size), err));
    entry->type.dtype = to;
    entry->size = size;
    return OK;
}
