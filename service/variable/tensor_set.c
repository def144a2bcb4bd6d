/* Entries of a set, and outlines of sets. */
#include "service/variable/tensor_set.h"

#include "service/state.h"
#include "service/variable/tensor_set_source.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* Runs that lie nowhere begin here, a byte apart: below everything that is ever mapped. */
enum { NOWHERE = 4096 };

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
            struct tensor_set_block *block = keep->blocks;

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

static enum err_code
lease(struct tensor_set *set, const struct store_snapshot *snapshot,
      const struct tensor_set_source *s, struct err *err)
{
    if (set->keep->lease == NULL)
        TRY(store_lease_open(set->keep->service->store, &set->keep->lease, err));
    return store_lease_add(set->keep->lease, snapshot, s->reader.family, err);
}

/* The list is read for the checksum, of which every digest of the whole is made; the chunks are
 * not looked up. */
static enum err_code
delay(struct tensor_set_source *s, struct tensor_set_entry *entry, struct err *err)
{
    struct tensor_set_keep *keep = s->set->keep;
    const struct value_ref *value = &s->reader.ref;
    struct tensor_set_delayed *grown =
        mem_grown(keep->delayed, keep->delayed_count, &keep->delayed_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    keep->delayed = grown;
    TRY(value_crc32c(&s->reader, &entry->crc32c, err));
    entry->has_crc32c = true;
    keep->delayed[keep->delayed_count++] = (struct tensor_set_delayed){value->id, value->size};
    entry->delayed = keep->delayed_count;
    entry->span_count = 1;
    return tensor_set_add_span(
        s->set,
        bytes_of((const uint8_t *)(uintptr_t)(NOWHERE + entry->delayed), (size_t)value->size), err);
}

static enum err_code
add_bytes(struct tensor_set *set, const struct store_snapshot *snapshot,
          struct tensor_set_source *s, struct tensor_set_entry *entry, struct bytes slice_text,
          enum dtype cast_to, struct err *err)
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
    if (tensor_set_is_part(s)) {
        entry->type.shape = *s->shape;
        entry->size = shape_count(s->shape) * s->element_size;
    }
    if (cast_to == entry->type.dtype)
        cast_to = DTYPE_UNSET;
    /* Only chunks outlive the snapshot; what is no list of chunks is small, and what is made when
     * read lies nowhere. */
    copy = entry->size <= set->keep->service->limits.inline_reply_bytes_max ||
           cast_to != DTYPE_UNSET || s->reader.ref.kind != VALUE_CHUNKS || s->reader.has_recipe;
    if (!copy && set->keep->is_outline && !tensor_set_is_part(s))
        return delay(s, entry, err);
    if (!copy)
        TRY(lease(set, snapshot, s, err));
    TRY(tensor_set_take(s, entry->size, copy, err));
    if (cast_to != DTYPE_UNSET)
        TRY(tensor_set_cast(s, entry, cast_to, err));
    entry->span_count = set->span_count - entry->span_first;
    entry->has_crc32c = !tensor_set_is_part(s) && cast_to == DTYPE_UNSET && !s->reader.has_recipe;
    return entry->has_crc32c ? value_crc32c(&s->reader, &entry->crc32c, err) : OK;
}

/* What `s` says of the value becomes the next entry. */
static enum err_code
add_entry(struct tensor_set *set, const struct store_snapshot *snapshot, struct bytes name,
          const struct tensor_type *type, const struct value_ref *value,
          struct tensor_set_source *s, struct bytes slice, enum dtype cast_to, struct err *err)
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
        code = tensor_set_keep_pattern(s, err);
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
    struct tensor_set_source s = {.set = set};

    return add_entry(set, snapshot, bytes_of(name, name_size), type, value, &s, slice, cast_to,
                     err);
}

enum err_code
tensor_set_add_rows(struct tensor_set *set, const struct store_snapshot *snapshot, const char *name,
                    const struct tensor_type *type, const struct value_ref *value,
                    const struct sparse *rows, const struct shape *shape, enum dtype cast_to,
                    struct err *err)
{
    struct tensor_set_source s = {.set = set, .rows = rows, .shape = shape};

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
    struct tensor_set_source s = {.set = set};
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
        code = tensor_set_lend(&s, 0, entry->size, err);
    if (code == OK)
        code = tensor_set_keep_pattern(&s, err);
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
