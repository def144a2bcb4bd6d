#include "api/tensors/export.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/file/tar_write.h"
#include "api/file/zip_write.h"
#include "api/http/negotiate.h"
#include "api/http/range.h"
#include "api/json/text.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { FORMATS_MAX = 8, FORMAT_NAMES_BYTES_MAX = 160 };

/* --- what the request says --- */

static enum err_code
take_format(struct api_request *rq, struct api_reply *rp, const struct api_wire_format **out,
            struct err *err)
{
    struct api_choice choices[FORMATS_MAX];
    const struct api_wire_format *formats[FORMATS_MAX];
    size_t count = 0, index = 0;

    for (size_t i = 0; api_wire_format_at(i) != NULL; i++) {
        const struct api_wire_format *format = api_wire_format_at(i);

        if (format->write == NULL)
            continue;
        CHECK(count < FORMATS_MAX);
        choices[count] = (struct api_choice){format->name, format->media_type,
                                             count == 0 ? "application/octet-stream" : NULL};
        formats[count++] = format;
    }
    TRY(api_negotiate_choice(rq, rp, choices, count, &index, err));
    *out = formats[index];
    return OK;
}

enum err_code
api_export_options_take(struct api_request *rq, struct api_object *body,
                        struct api_export_options *out, struct err *err)
{
    bool deflated = false, zip = false;
    struct bytes container;

    TRY(api_negotiate_either(rq, body, "compression", "none", "deflate", &deflated, err));
    TRY(api_negotiate_word(rq, body, "container", &container, err));
    TRY(api_negotiate_either(rq, body, "container", "tar", "zip", &zip, err));
    TRY(api_negotiate_either(rq, body, "on_unsupported", "error", "skip", &out->skip_unsupported,
                             err));
    TRY(api_negotiate_npy_v2(rq, body, &out->npy_v2, err));
    out->compression = deflated ? API_WIRE_DEFLATED : API_WIRE_STORED;
    if (container.data != NULL)
        out->container = zip ? API_CONTAINER_ZIP : API_CONTAINER_TAR;
    if (deflated && !out->format->deflates && !zip)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "compression=deflate is for npz and for container=zip, not for %s",
                       out->format->name);
    return OK;
}

enum err_code
api_export_options_of_body(struct api_request *rq, struct api_object *body,
                           struct api_export_options *out, struct err *err)
{
    char names[FORMAT_NAMES_BYTES_MAX] = "", shown[API_SHOWN_BYTES_MAX + 1];
    const char *name = NULL;
    size_t used = 0;

    *out = (struct api_export_options){.format = NULL};
    TRY(api_object_text(body, "format", api_request_arena(rq), &name, NULL, err));
    out->format = api_wire_format_find(bytes_of_text(name));
    if (out->format != NULL && out->format->write != NULL)
        return api_export_options_take(rq, body, out, err);
    for (size_t i = 0; api_wire_format_at(i) != NULL && used < sizeof names; i++)
        if (api_wire_format_at(i)->write != NULL)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used > 0 ? ", " : "", api_wire_format_at(i)->name);
    return err_set(err, ERR_NOT_ACCEPTABLE, "there is no format '%s' to write, only %s",
                   api_text_shown(bytes_of_text(name), shown), names);
}

enum err_code
api_export_options_of_query(struct api_request *rq, struct api_reply *rp,
                            struct api_export_options *out, struct err *err)
{
    *out = (struct api_export_options){.format = NULL};
    TRY(take_format(rq, rp, &out->format, err));
    return api_export_options_take(rq, NULL, out, err);
}

/* --- making --- */

void
api_export_made_drop(struct api_export_made *made)
{
    tensor_set_drop(&made->set);
    scratch_drop(made->scratch);
    made->scratch = NULL;
}

/* What the format cannot hold is an error, or taken out of the set. */
static enum err_code
sort_out(const struct api_export_options *options, struct api_export_made *made, struct err *err)
{
    struct tensor_set *set = &made->set;
    char name[API_SHOWN_BYTES_MAX + 1];
    size_t kept = 0;

    made->skipped = arena_array(made->layout.arena, set->entry_count, sizeof *made->skipped, err);
    if (made->skipped == NULL)
        return ERR_NO_MEMORY;

    for (size_t i = 0; options->format->unfit != NULL && i < set->entry_count; i++) {
        const struct tensor_set_entry *entry = &set->entries[i];
        const char *reason = options->format->unfit(bytes_of_text(entry->name), &entry->type);

        if (options->npy_v2 == API_NPY_V2_BFLOAT16 && options->format->holds_v2 &&
            entry->type.dtype == DTYPE_BFLOAT16)
            reason = NULL;
        if (reason == NULL) {
            set->entries[kept++] = *entry;
            continue;
        }
        if (options->skip_unsupported) {
            made->skipped[made->skipped_count++] =
                (struct api_wire_refused){bytes_of_text(entry->name), reason};
            continue;
        }
        api_text_shown(bytes_of_text(entry->name), name);
        err_about(err, "tensor", name);
        return err_set(err, ERR_NOT_ACCEPTABLE,
                       "tensor '%s' is %s: %s (on_unsupported=skip leaves such tensors out)", name,
                       dtype_name(entry->type.dtype), reason);
    }
    if (options->format->unfit == NULL)
        return OK;
    set->entry_count = kept;
    return OK;
}

struct place {
    uint32_t position;
    size_t index;
};

static int
compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->position != y->position)
        return x->position < y->position ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static enum err_code
order_of(const struct tensor_set *set, struct arena *arena, const size_t **out, struct err *err)
{
    struct place *places = arena_array(arena, set->entry_count, sizeof *places, err);
    size_t *order = arena_array(arena, set->entry_count, sizeof *order, err);

    if (places == NULL || order == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++)
        places[i] = (struct place){set->entries[i].position, i};
    if (set->entry_count > 0)
        qsort(places, set->entry_count, sizeof *places, compare_places);
    for (size_t i = 0; i < set->entry_count; i++)
        order[i] = places[i].index;
    *out = order;
    return OK;
}

/* --- outlines --- */

bool
api_export_wants_outline(const struct api_request *rq, const struct api_export_options *options)
{
    return options->format->lends && options->container == API_CONTAINER_UNSAID &&
           (api_request_header(rq, "Range").data != NULL || api_request_is_head(rq));
}

static bool
is_wanted(const struct api_ranges *ranges, uint64_t begin, uint64_t size)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (ranges->list[i].begin < begin + size && begin < ranges->list[i].end)
            return true;
    return false;
}

/* What of a file of this size the reply will hold, or read. */
static void
wanted_ranges(struct api_request *rq, uint64_t size, struct api_ranges *out)
{
    *out = (struct api_ranges){.count = 0};
    if (!api_reply_needs_all(rq, size) &&
        (api_reply_ranges(rq, size, out) != RANGE_WHOLE || api_request_is_head(rq)))
        return;
    out->list[0] = (struct api_range){0, size};
    out->count = 1;
}

/* *filled: the layout is not that of the set any more. */
static enum err_code
fill_wanted(struct api_request *rq, struct api_export_made *made, bool *filled, struct err *err)
{
    struct tensor_set *set = &made->set;
    size_t *entries, most = 0;
    struct api_ranges ranges;
    uint64_t begin = 0;

    *filled = false;
    for (size_t i = 0; i < set->entry_count; i++)
        most = set->entries[i].delayed > most ? set->entries[i].delayed : most;
    entries = arena_array(made->layout.arena, most + 1, sizeof *entries, err);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++)
        if (set->entries[i].delayed != 0)
            entries[set->entries[i].delayed] = i;
    wanted_ranges(rq, made->layout.files[0].size, &ranges);
    for (size_t i = 0; i < made->layout.span_count; i++) {
        const struct bytes *run = &made->layout.spans[i];
        size_t delayed = tensor_set_delayed(set, run);

        if (delayed != 0 && is_wanted(&ranges, begin, run->size)) {
            TRY(tensor_set_fill(set, entries[delayed], err));
            *filled = true;
        }
        begin += run->size;
    }
    tensor_set_settle(set);
    return OK;
}

enum err_code
api_export_make(struct api_request *rq, const struct api_export *what, struct tensor_set *set,
                struct api_export_made *out, struct err *err)
{
    AUTO(api_export_made) made = {.set = TAKE(*set)};
    struct api_wire_export export = {
        .set = &made.set,
        .shards = what->shards,
        .metadata = what->metadata,
        .metadata_count = what->metadata_count,
        .name = what->name,
        .compression = what->options.compression,
        .npy_v2 = what->options.npy_v2,
        .modified_ms = what->modified_ms,
    };

    bool filled = false;

    api_layout_init(&made.layout, api_request_arena(rq));
    TRY(sort_out(&what->options, &made, err));
    TRY(order_of(&made.set, api_request_arena(rq), &export.order, err));
    TRY(scratch_open(api_request_service(rq), &made.scratch, err));
    export.scratch = made.scratch;
    TRY(what->options.format->write(&export, &made.layout, err));
    if (tensor_set_is_outline(&made.set)) {
        TRY(fill_wanted(rq, &made, &filled, err));
        if (filled) {
            api_layout_init(&made.layout, api_request_arena(rq));
            TRY(what->options.format->write(&export, &made.layout, err));
        }
    }
    if (scratch_size(made.scratch) == 0) {
        scratch_drop(made.scratch);
        made.scratch = NULL;
    }
    *out = TAKE(made);
    return OK;
}

/* --- the reply --- */

static void
release_made(void *owner)
{
    api_export_made_drop(owner);
    mem_free(owner);
}

enum err_code
api_export_wrap(struct api_request *rq, const struct api_export *what, enum api_container container,
                struct api_export_made *made, struct err *err)
{
    struct api_zip_options how = {
        .deflate =
            what->options.compression == API_WIRE_DEFLATED && !what->options.format->deflates,
        .modified_ms = what->modified_ms,
    };
    bool zip = container == API_CONTAINER_ZIP;
    struct api_layout files = made->layout;
    char name[NAME_BYTES_MAX + 8];

    if (container == API_CONTAINER_UNSAID)
        return OK;
    snprintf(name, sizeof name, "%s.%s", what->name, zip ? "zip" : "tar");
    api_layout_init(&made->layout, api_request_arena(rq));
    if (!zip)
        return api_tar_write(&files, what->modified_ms, name, &made->layout, err);
    if (how.deflate && made->scratch == NULL)
        TRY(scratch_open(api_request_service(rq), &made->scratch, err));
    how.scratch = made->scratch;
    return api_zip_write(&files, &how, name, &made->layout, err);
}

enum err_code
api_export_reply(struct api_request *rq, struct api_reply *rp, const struct api_export *what,
                 struct tensor_set *set, struct err *err)
{
    AUTO(api_export_made) made = {0};
    struct api_export_made *owned;
    enum api_container container = what->options.container;
    const char *media_type = what->options.format->media_type;

    TRY(api_export_make(rq, what, set, &made, err));
    if (container == API_CONTAINER_UNSAID &&
        (what->options.format->many_files || made.layout.file_count != 1))
        container = API_CONTAINER_TAR;
    if (container != API_CONTAINER_UNSAID)
        media_type = container == API_CONTAINER_ZIP ? "application/zip" : "application/x-tar";
    TRY(api_export_wrap(rq, what, container, &made, err));
    CHECK(made.layout.file_count == 1);
    TRY(api_reply_header(rp, "Content-Disposition", err, "attachment; filename=\"%s\"",
                         made.layout.files[0].name));
    if (made.skipped_count > 0)
        TRY(api_reply_header(rp, "Tensorkeep-Skipped", err, "%zu", made.skipped_count));
    TRY(api_reply_sums(rq, rp, made.layout.sums, made.layout.sum_count, true, err));
    owned = mem_alloc(sizeof *owned, err);
    if (owned == NULL)
        return ERR_NO_MEMORY;
    *owned = TAKE(made);
    return api_reply_spans(rq, rp, media_type, owned->layout.spans, owned->layout.span_count, owned,
                           release_made, err);
}
