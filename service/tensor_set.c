#include "service/tensor_set.h"

#include <inttypes.h>

#include "service/state.h"
#include "service/tensor/convert.h"
#include "service/training/sparse.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* A slice whose runs are shorter than this on average is gathered into memory. */
enum { TENSOR_SET_RUN_BYTES_MIN = 4096 };

/* Runs that lie nowhere begin here, a byte apart: below everything that is ever mapped. */
enum { NOWHERE = 4096 };

/* A list of chunks that was not looked at. */
struct delayed {
    uint64_t id, size;
};

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
    bool is_outline;
    struct store_snapshot *snapshot; /* of an outline that is not settled */
    struct delayed *delayed;         /* by number, from 1 */
    size_t delayed_count, delayed_capacity;
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
        store_snapshot_drop(keep->snapshot);
        mem_free(keep->delayed);
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

    CHECK(entry->delayed == 0);

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
lease(struct tensor_set *set, const struct store_snapshot *snapshot, const struct source *s,
      struct err *err)
{
    if (set->keep->lease == NULL)
        TRY(store_lease_open(set->keep->service->store, &set->keep->lease, err));
    return store_lease_add(set->keep->lease, snapshot, s->reader.family, err);
}

/* The list is read for the checksum, of which every digest of the whole is made; the chunks are
 * not looked up. */
static enum err_code
delay(struct source *s, struct tensor_set_entry *entry, struct err *err)
{
    struct tensor_set_keep *keep = s->set->keep;
    const struct value_ref *value = &s->reader.ref;

    if (keep->delayed_count == keep->delayed_capacity) {
        size_t capacity = keep->delayed_capacity ? keep->delayed_capacity * 2 : 16;
        struct delayed *grown = mem_resize(keep->delayed, capacity * sizeof *grown, err);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        keep->delayed = grown;
        keep->delayed_capacity = capacity;
    }
    TRY(value_crc32c(&s->reader, &entry->crc32c, err));
    entry->has_crc32c = true;
    keep->delayed[keep->delayed_count++] = (struct delayed){value->id, value->size};
    entry->delayed = keep->delayed_count;
    entry->span_count = 1;
    return add_span(
        s->set,
        bytes_of((const uint8_t *)(uintptr_t)(NOWHERE + entry->delayed), (size_t)value->size), err);
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
    if (!copy && set->keep->is_outline && !is_part(s))
        return delay(s, entry, err);
    if (!copy)
        TRY(lease(set, snapshot, s, err));
    TRY(take_bytes(s, entry->size, copy, err));
    if (cast_to != DTYPE_UNSET)
        TRY(cast_gathered(s, entry, cast_to, err));
    entry->span_count = set->span_count - entry->span_first;
    entry->has_crc32c = !is_part(s) && cast_to == DTYPE_UNSET && !s->reader.has_recipe;
    return entry->has_crc32c ? value_crc32c(&s->reader, &entry->crc32c, err) : OK;
}

/* Spans may point into the reader's pattern: the set keeps it. */
static enum err_code
keep_pattern(struct source *s, struct err *err)
{
    uint8_t *pattern = s->reader.pattern_chunk;

    s->reader.pattern_chunk = NULL;
    return pattern == NULL ? OK : keep_bytes(s->set, pattern, err);
}

/* What `s` says of the value becomes the next entry. */
static enum err_code
add_entry(struct tensor_set *set, const struct store_snapshot *snapshot, struct bytes name,
          const struct tensor_type *type, const struct value_ref *value, struct source *s,
          struct bytes slice, enum dtype cast_to, struct err *err)
{
    struct tensor_set_entry *entry;
    enum err_code code;

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
    if (code == OK)
        code = keep_pattern(s, err);
    value_reader_drop(&s->reader);
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

enum err_code
tensor_set_divide(struct tensor_set *set, const struct partition *partition,
                  struct bytes part_shards, struct err *err)
{
    struct tensor_set_entry *entry = &set->entries[set->entry_count - 1];
    uint8_t *copy = NULL;

    if (part_shards.size > 0) {
        copy = arena_alloc(&set->keep->arena, part_shards.size, err);
        if (copy == NULL)
            return ERR_NO_MEMORY;
        memcpy(copy, part_shards.data, part_shards.size);
    }
    entry->partition = *partition;
    entry->part_shards = bytes_of(copy, part_shards.size);
    return OK;
}

/* --- outlines ------------------------------------------------------------------------------ */

void
tensor_set_outline(struct tensor_set *set)
{
    set->keep->is_outline = true;
}

void
tensor_set_keep_snapshot(struct tensor_set *set, struct store_snapshot *snapshot)
{
    CHECK(set->keep->is_outline && set->keep->snapshot == NULL);
    set->keep->snapshot = snapshot;
}

bool
tensor_set_is_outline(const struct tensor_set *set)
{
    return set->keep->snapshot != NULL;
}

size_t
tensor_set_delayed(const struct tensor_set *set, const struct bytes *run)
{
    uintptr_t at = (uintptr_t)run->data;

    return at > NOWHERE && at - NOWHERE <= set->keep->delayed_count ? at - NOWHERE : 0;
}

enum err_code
tensor_set_fill(struct tensor_set *set, size_t i, struct err *err)
{
    struct tensor_set_entry *entry = &set->entries[i];
    struct source s = {.set = set};
    struct value_ref value = {.kind = VALUE_CHUNKS};
    enum err_code code;

    if (entry->delayed == 0)
        return OK;
    value.id = set->keep->delayed[entry->delayed - 1].id;
    value.size = set->keep->delayed[entry->delayed - 1].size;
    TRY(value_open(store_snapshot_view(set->keep->snapshot), &value, &s.reader, err));
    entry->span_first = set->span_count;
    code = lease(set, set->keep->snapshot, &s, err);
    if (code == OK)
        code = lend_range(&s, 0, entry->size, err);
    if (code == OK)
        code = keep_pattern(&s, err);
    value_reader_drop(&s.reader);
    TRY(code);
    entry->span_count = set->span_count - entry->span_first;
    entry->delayed = 0;
    return OK;
}

void
tensor_set_settle(struct tensor_set *set)
{
    store_snapshot_drop(set->keep->snapshot);
    set->keep->snapshot = NULL;
}
