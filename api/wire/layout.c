#include "api/wire/layout.h"

#include "store/base/check.h"

enum { LENT_SUMMED_BYTES_MAX = 16384 }; /* sooner looked at than not known */

void
api_layout_init(struct api_layout *layout, struct arena *arena)
{
    *layout = (struct api_layout){.arena = arena};
}

enum err_code
api_layout_file(struct api_layout *layout, const char *name, struct err *err)
{
    struct api_layout_file *files = arena_grown(layout->arena, layout->files, layout->file_count,
                                                &layout->file_capacity, sizeof *files, err);
    const char *copy = arena_text(layout->arena, bytes_of_text(name), err);

    if (files == NULL || copy == NULL)
        return ERR_NO_MEMORY;
    layout->files = files;
    layout->files[layout->file_count++] = (struct api_layout_file){
        .name = copy, .span_first = layout->span_count, .sum_first = layout->sum_count};
    return OK;
}

static enum err_code
add_span(struct api_layout *layout, struct bytes bytes, struct err *err)
{
    struct api_layout_file *file;
    struct bytes *spans;

    CHECK(layout->file_count > 0);
    if (bytes.size == 0)
        return OK;
    spans = arena_grown(layout->arena, layout->spans, layout->span_count, &layout->span_capacity,
                        sizeof *spans, err);
    if (spans == NULL)
        return ERR_NO_MEMORY;
    layout->spans = spans;
    layout->spans[layout->span_count++] = bytes;
    file = &layout->files[layout->file_count - 1];
    file->span_count++;
    file->size += bytes.size;
    return OK;
}

static enum err_code
add_sum(struct api_layout *layout, struct api_sum sum, struct err *err)
{
    struct api_sum *sums;

    if (sum.size == 0)
        return OK;
    sums = arena_grown(layout->arena, layout->sums, layout->sum_count, &layout->sum_capacity,
                       sizeof *sums, err);
    if (sums == NULL)
        return ERR_NO_MEMORY;
    layout->sums = sums;
    layout->sums[layout->sum_count++] = sum;
    layout->files[layout->file_count - 1].sum_count++;
    return OK;
}

enum err_code
api_layout_lend(struct api_layout *layout, struct bytes bytes, struct err *err)
{
    TRY(add_span(layout, bytes, err));
    return add_sum(layout,
                   bytes.size <= LENT_SUMMED_BYTES_MAX ? api_sum_of(bytes)
                                                       : (struct api_sum){.size = bytes.size},
                   err);
}

enum err_code
api_layout_copy(struct api_layout *layout, struct bytes bytes, struct err *err)
{
    uint8_t *copy;

    if (bytes.size == 0)
        return OK;
    copy = arena_alloc(layout->arena, bytes.size, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, bytes.data, bytes.size);
    TRY(add_span(layout, bytes_of(copy, bytes.size), err));
    return add_sum(layout, api_sum_of(bytes), err);
}

enum err_code
api_layout_lend_file(struct api_layout *layout, const struct api_layout *from, size_t file,
                     struct err *err)
{
    const struct api_layout_file *f = &from->files[file];

    for (size_t i = 0; i < f->span_count; i++)
        TRY(add_span(layout, from->spans[f->span_first + i], err));
    for (size_t i = 0; i < f->sum_count; i++)
        TRY(add_sum(layout, from->sums[f->sum_first + i], err));
    return OK;
}

enum err_code
api_layout_entry(struct api_layout *layout, const struct tensor_set *set, size_t i, struct err *err)
{
    const struct tensor_set_entry *entry = &set->entries[i];

    for (size_t s = 0; s < entry->span_count; s++)
        TRY(add_span(layout, set->spans[entry->span_first + s], err));
    return add_sum(layout,
                   (struct api_sum){.size = entry->size,
                                    .has_crc32c = entry->has_crc32c,
                                    .crc32c = entry->crc32c},
                   err);
}
