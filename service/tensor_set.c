#include "service/tensor_set.h"

#include <inttypes.h>

#include "service/sparse.h"
#include "service/state.h"
#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* A slice whose runs are shorter than this on average is gathered into memory. */
enum { TENSOR_SET_RUN_BYTES_MIN = 4096 };

/* Memory blocks owned by the set: copies and pattern buffers, chained. */
struct keep_block {
    struct keep_block *next;
    uint8_t *bytes;
};

struct tensor_set_keep {
    struct service *service;
    struct store_lease *lease; /* opened when first needed */
    struct keep_block *blocks;
    bool brief;
    uint64_t copied_bytes; /* in blocks */
    struct arena arena;    /* names */
};

enum err_code
tensor_set_open(struct service *service, const struct store_snapshot *snapshot, bool brief,
                struct tensor_set *out, struct err *err)
{
    *out = (struct tensor_set){.revision = store_view_revision(store_snapshot_view(snapshot))};
    out->keep = mem_zeroed(1, sizeof *out->keep, err);
    if (out->keep == NULL)
        return ERR_NO_MEMORY;
    out->keep->service = service;
    out->keep->brief = brief;
    arena_init(&out->keep->arena, SIZE_MAX / 2);
    return OK;
}

void
tensor_set_drop(struct tensor_set *set)
{
    struct tensor_set_keep *keep = set->keep;

    if (keep != NULL) {
        while (keep->blocks != NULL) {
            struct keep_block *block = keep->blocks;

            keep->blocks = block->next;
            mem_free(block->bytes);
            mem_free(block);
        }
        store_lease_drop(keep->lease);
        arena_drop(&keep->arena);
        mem_free(keep);
    }
    mem_free(set->entries);
    mem_free(set->spans);
    *set = (struct tensor_set){0};
}

void
tensor_set_copy(const struct tensor_set *set, size_t i, void *out)
{
    const struct tensor_set_entry *entry = &set->entries[i];
    uint8_t *to = out;

    for (size_t s = 0; s < entry->span_count; s++) {
        struct bytes span = set->spans[entry->span_first + s];

        if (span.size > 0)
            memcpy(to, span.data, span.size);
        to += span.size;
    }
}

/* Takes `bytes`, also on failure. */
static enum err_code
keep_bytes(struct tensor_set *set, uint8_t *bytes, struct err *err)
{
    struct keep_block *block = mem_alloc(sizeof *block, err);

    if (block == NULL) {
        mem_free(bytes);
        return ERR_NO_MEMORY;
    }
    *block = (struct keep_block){.next = set->keep->blocks, .bytes = bytes};
    set->keep->blocks = block;
    return OK;
}

static enum err_code
add_span(struct tensor_set *set, struct bytes span, struct err *err)
{
    if (set->span_count == set->span_capacity) {
        size_t capacity = set->span_capacity ? set->span_capacity * 2 : 8;
        struct bytes *grown = mem_resize(set->spans, capacity * sizeof *grown, err);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        set->spans = grown;
        set->span_capacity = capacity;
    }
    set->spans[set->span_count++] = span;
    return OK;
}

/* What a whole value, a part of it, or its conversion need to be read. */
struct source {
    struct tensor_set *set;
    struct value_reader reader;
    uint32_t element_size;
    const struct slice *slice; /* NULL: not a slice of it */
    const struct sparse *rows; /* NULL: not rows of it */
    const struct shape *shape; /* of the part */
    uint8_t *gather;           /* the copy being filled, or NULL: lend spans */
};

static enum err_code
lend_range(struct source *s, uint64_t offset, uint64_t size, struct err *err)
{
    while (size > 0) {
        struct bytes run;

        TRY(value_run(&s->reader, offset, size, &run, NULL, err));
        TRY(add_span(s->set, run, err));
        offset += run.size;
        size -= run.size;
    }
    return OK;
}

static enum err_code
take_range(struct source *s, uint64_t offset, uint64_t result_offset, uint64_t size,
           struct err *err)
{
    if (s->gather != NULL)
        return value_copy(&s->reader, offset, size, s->gather + result_offset, err);
    return lend_range(s, offset, size, err);
}

static enum err_code
take_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct source *s = context;

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

static bool
is_part(const struct source *s)
{
    return s->slice != NULL || s->rows != NULL;
}

/* Rows that are copied are taken front to back, so that no part of the list is looked up twice. */
static enum err_code
each_run(struct source *s, slice_run *run, void *context, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint64_t *order = NULL;

    if (s->slice != NULL)
        return slice_each_run(s->slice, run, context, err);
    if (s->gather != NULL)
        TRY(sparse_order(s->rows, &order, err));
    return sparse_each_run(s->rows, order, run, context, err);
}

static enum err_code
take_bytes(struct source *s, uint64_t size, bool copy, struct err *err)
{
    uint64_t runs = 0;

    if (is_part(s) && !copy) {
        TRY(each_run(s, count_run, &runs, err));
        copy = size / (runs ? runs : 1) < TENSOR_SET_RUN_BYTES_MIN;
    }
    if (copy)
        TRY(new_copy(s->set, size, &s->gather, err));
    if (is_part(s))
        TRY(each_run(s, take_run, s, err));
    else
        TRY(take_range(s, 0, 0, size, err));
    if (s->gather != NULL)
        return add_span(s->set, bytes_of(s->gather, size), err);
    return OK;
}

/* Replaces the gathered bytes of the entry by their conversion. */
static enum err_code
cast_gathered(struct source *s, struct tensor_set_entry *entry, enum dtype to, struct err *err)
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
    TRY(add_span(s->set, bytes_of(converted, size), err));
    entry->type.dtype = to;
    entry->size = size;
    return OK;
}

static enum err_code
add_bytes(struct tensor_set *set, const struct store_snapshot *snapshot, struct source *s,
          struct tensor_set_entry *entry, struct bytes slice_text, enum dtype cast_to,
          struct err *err)
{
    struct slice slice;
    bool copy;

    if (slice_text.data != NULL && entry->type.dtype == DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "string tensors are read whole, not by slice");
    if (slice_text.data != NULL) {
        TRY(slice_parse(slice_text, &entry->type.shape, &slice, err));
        s->slice = &slice;
        s->shape = &slice.result;
    }
    if (is_part(s)) {
        entry->type.shape = *s->shape;
        entry->size = shape_count(s->shape) * s->element_size;
    }
    if (cast_to == entry->type.dtype)
        cast_to = DTYPE_UNSET;
    /* Only chunks outlive the snapshot; what is no list of chunks is small, and what is made when
     * read lies nowhere. */
    copy = entry->size <= set->keep->service->limits.inline_reply_bytes_max ||
           cast_to != DTYPE_UNSET || s->reader.ref.kind != VALUE_CHUNKS || s->reader.has_recipe;
    if (!copy) {
        if (set->keep->lease == NULL)
            TRY(store_lease_open(set->keep->service->store, &set->keep->lease, err));
        TRY(store_lease_add(set->keep->lease, snapshot, s->reader.family, err));
    }
    TRY(take_bytes(s, entry->size, copy, err));
    if (cast_to != DTYPE_UNSET)
        TRY(cast_gathered(s, entry, cast_to, err));
    entry->span_count = set->span_count - entry->span_first;
    entry->has_crc32c = !is_part(s) && cast_to == DTYPE_UNSET && !s->reader.has_recipe;
    return entry->has_crc32c ? value_crc32c(&s->reader, &entry->crc32c, err) : OK;
}

/* What `s` says of the value becomes the next entry. */
static enum err_code
add_entry(struct tensor_set *set, const struct store_snapshot *snapshot, struct bytes name,
          const struct tensor_type *type, const struct value_ref *value, struct source *s,
          struct bytes slice, enum dtype cast_to, struct err *err)
{
    struct tensor_set_entry *entry;
    enum err_code code;
    uint8_t *pattern;

    if (set->entry_count == set->entry_capacity) {
        size_t capacity = set->entry_capacity ? set->entry_capacity * 2 : 4;

        entry = mem_resize(set->entries, capacity * sizeof *entry, err);
        if (entry == NULL)
            return ERR_NO_MEMORY;
        set->entries = entry;
        set->entry_capacity = capacity;
    }
    entry = &set->entries[set->entry_count];
    *entry = (struct tensor_set_entry){.type = *type,
                                       .size = value->size,
                                       .revision = set->revision,
                                       .span_first = set->span_count};
    entry->name = arena_text(&set->keep->arena, name, err);
    if (entry->name == NULL)
        return ERR_NO_MEMORY;
    s->set = set;
    s->element_size = dtype_size(type->dtype);
    TRY(value_open(store_snapshot_view(snapshot), value, &s->reader, err));
    code = add_bytes(set, snapshot, s, entry, slice, cast_to, err);
    pattern = s->reader.pattern_chunk; /* spans may point into it: the set keeps it */
    s->reader.pattern_chunk = NULL;
    value_reader_drop(&s->reader);
    if (pattern != NULL && keep_bytes(set, pattern, err) != OK)
        return ERR_NO_MEMORY;
    TRY(code);
    set->entry_count++;
    return OK;
}

enum err_code
tensor_set_add(struct tensor_set *set, const struct store_snapshot *snapshot, const char *name,
               size_t name_size, const struct tensor_type *type, const struct value_ref *value,
               struct bytes slice, enum dtype cast_to, struct err *err)
{
    struct source s = {.set = set};

    return add_entry(set, snapshot, bytes_of(name, name_size), type, value, &s, slice, cast_to,
                     err);
}

enum err_code
tensor_set_add_rows(struct tensor_set *set, const struct store_snapshot *snapshot, const char *name,
                    const struct tensor_type *type, const struct value_ref *value,
                    const struct sparse *rows, const struct shape *shape, enum dtype cast_to,
                    struct err *err)
{
    struct source s = {.set = set, .rows = rows, .shape = shape};

    return add_entry(set, snapshot, bytes_of_text(name), type, value, &s, bytes_of(NULL, 0),
                     cast_to, err);
}
