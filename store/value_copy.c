/* A value again, its chunks laid out in another way; and single chunks of it, staged anew. */
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"
#include "store/value.h"
#include "store/value_list.h"

bool
value_reader_in_rows(const struct value_reader *reader)
{
    return reader->ref.kind != VALUE_CHUNKS || reader->head->layout.bulk_count == 0;
}

enum err_code
value_reader_is_whole(struct value_reader *reader, bool *whole, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *segment = NULL;
    bool found = false;

    *whole = false;
    if (reader->pattern_size == 0 && !reader->has_recipe)
        return OK;
    segment = mem_alloc(sizeof *segment, err);
    if (segment == NULL)
        return ERR_NO_MEMORY;
    TRY(value_segment_next(reader->view, reader->head, 0, &found, segment, err));
    *whole = !found;
    return OK;
}

enum err_code
value_builder_copy(struct value_builder *b, struct value_reader *from, struct err *err)
{
    struct bytes run = {0};
    bool whole = false;

    TRY(value_reader_is_whole(from, &whole, err));
    if (whole && from->has_recipe)
        return value_builder_recipe(b, bytes_of(from->head->recipe.bytes, from->head->recipe.size),
                                    err);
    if (whole)
        return value_builder_fill(b, from->head->pattern.bytes, from->head->pattern.size, err);
    for (uint64_t offset = 0; offset < from->ref.size; offset += run.size) {
        TRY(value_run(from, offset, from->ref.size - offset, &run, NULL, err));
        TRY(value_builder_append(b, run.data, run.size, err));
    }
    return OK;
}

enum err_code
value_stage(const struct value_reader *reader, struct store_stage *stage, uint64_t offset,
            struct value_staged *out, struct err *err)
{
    const struct value_layout *layout;
    struct store_chunk_place place = {.family = reader->family};
    struct value_span span;

    CHECK(reader->ref.kind == VALUE_CHUNKS && offset < reader->ref.size);
    layout = &reader->head->layout;
    place.index = value_layout_index(layout, offset);
    span = value_layout_span(layout, place.index);
    *out =
        (struct value_staged){.family = place.family, .offset = span.offset, .index = place.index};
    return store_stage_chunk(stage, span.class, place, span.length, &out->chunk, err);
}
