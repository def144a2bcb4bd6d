#include "api/export.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/file/tar_write.h"
#include "api/file/zip_write.h"
#include "api/negotiate.h"
#include "api/text.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { FORMATS_MAX = 8 };

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

/* One of two words; the first when it is absent. */
static enum err_code
take_word(struct api_request *rq, const char *argument, const char *first, const char *second,
          bool *is_second, struct err *err)
{
    struct bytes value = api_request_query(rq, argument);
    char shown[API_SHOWN_BYTES_MAX + 1];

    *is_second = value.data != NULL && bytes_equal(value, bytes_of_text(second));
    if (value.data == NULL || *is_second || bytes_equal(value, bytes_of_text(first)))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' must be %s or %s, not '%s'",
                   argument, first, second, api_text_shown(value, shown));
}

enum err_code
api_export_options_take(struct api_request *rq, struct api_export_options *out, struct err *err)
{
    bool deflated = false, zip = false;

    TRY(take_word(rq, "compression", "none", "deflate", &deflated, err));
    TRY(take_word(rq, "container", "tar", "zip", &zip, err));
    TRY(take_word(rq, "on_unsupported", "error", "skip", &out->skip_unsupported, err));
    TRY(api_negotiate_npy_v2(rq, &out->npy_v2, err));
    out->compression = deflated ? API_WIRE_DEFLATED : API_WIRE_STORED;
    if (api_request_query(rq, "container").data != NULL)
        out->container = zip ? API_CONTAINER_ZIP : API_CONTAINER_TAR;
    if (deflated && !out->format->deflates && !zip)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "compression=deflate is for npz and for container=zip, not for %s",
                       out->format->name);
    return OK;
}

enum err_code
api_export_options_of_query(struct api_request *rq, struct api_reply *rp,
                            struct api_export_options *out, struct err *err)
{
    *out = (struct api_export_options){.format = NULL};
    TRY(take_format(rq, rp, &out->format, err));
    return api_export_options_take(rq, out, err);
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
        if (options->skip_unsupported)
            continue;
        api_text_shown(bytes_of_text(entry->name), name);
        err_about(err, "tensor", name);
        return err_set(err, ERR_NOT_ACCEPTABLE,
                       "tensor '%s' is %s: %s (on_unsupported=skip leaves such tensors out)", name,
                       dtype_name(entry->type.dtype), reason);
    }
    if (options->format->unfit == NULL)
        return OK;
    made->skipped = set->entry_count - kept;
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

    api_layout_init(&made.layout, api_request_arena(rq));
    TRY(sort_out(&what->options, &made, err));
    TRY(order_of(&made.set, api_request_arena(rq), &export.order, err));
    TRY(scratch_open(api_request_service(rq), &made.scratch, err));
    export.scratch = made.scratch;
    TRY(what->options.format->write(&export, &made.layout, err));
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

/* Several files, or one when the client says so, into an archive. */
static enum err_code
wrap(struct api_request *rq, const struct api_export *what, struct api_export_made *made,
     const char **media_type, struct err *err)
{
    struct api_zip_options how = {
        .deflate =
            what->options.compression == API_WIRE_DEFLATED && !what->options.format->deflates,
        .modified_ms = what->modified_ms,
    };
    bool zip = what->options.container == API_CONTAINER_ZIP;
    struct api_layout files = made->layout;
    char name[NAME_BYTES_MAX + 8];

    *media_type = what->options.format->media_type;
    if (what->options.container == API_CONTAINER_UNSAID && !what->options.format->many_files &&
        made->layout.file_count == 1)
        return OK;
    snprintf(name, sizeof name, "%s.%s", what->name, zip ? "zip" : "tar");
    api_layout_init(&made->layout, api_request_arena(rq));
    *media_type = zip ? "application/zip" : "application/x-tar";
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
    const char *media_type = NULL;

    TRY(api_export_make(rq, what, set, &made, err));
    TRY(wrap(rq, what, &made, &media_type, err));
    CHECK(made.layout.file_count == 1);
    TRY(api_reply_header(rp, "Content-Disposition", err, "attachment; filename=\"%s\"",
                         made.layout.files[0].name));
    if (made.skipped > 0)
        TRY(api_reply_header(rp, "Tensorkeep-Skipped", err, "%zu", made.skipped));
    TRY(api_reply_sums(rq, rp, made.layout.sums, made.layout.sum_count, true, err));
    owned = mem_alloc(sizeof *owned, err);
    if (owned == NULL)
        return ERR_NO_MEMORY;
    *owned = TAKE(made);
    return api_reply_spans(rq, rp, media_type, owned->layout.spans, owned->layout.span_count, owned,
                           release_made, err);
}
