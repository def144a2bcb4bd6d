/* Which format it is, in this order: what ?format= says, what the Content-Type says, what the first
 * bytes of a body show (formats that are read front to back), an archive (then the same of what is
 * in it), and at last which of the other formats claims the files. */
#include "api/tensors/import.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/file/unpack.h"
#include "api/http/negotiate.h"
#include "api/json/chars.h"
#include "api/json/text.h"
#include "api/resource/describe.h"
#include "store/base/scope.h"

enum {
    SPOOL_BYTES = 256 << 10,
    FORMATS_TEXT_BYTES_MAX = 320,
    FILES_BESIDE_MAX = 1000, /* in an archive, of files that are no tensors */
};

void
api_import_drop(struct api_import *import)
{
    api_wire_reader_drop(&import->reader);
    scratch_drop(import->scratch);
    import->scratch = NULL;
}

/* "safetensors (application/vnd.safetensors), npy (…)" */
static const char *
list_formats(char out[static FORMATS_TEXT_BYTES_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; api_wire_format_at(i) != NULL; i++) {
        const struct api_wire_format *format = api_wire_format_at(i);
        int length = snprintf(out + used, FORMATS_TEXT_BYTES_MAX - used, "%s%s (%s)",
                              used > 0 ? ", " : "", format->name, format->media_type);

        if (length < 0 || (size_t)length >= FORMATS_TEXT_BYTES_MAX - used)
            break;
        used += (size_t)length;
    }
    return out;
}

/* --- what the request says --- */

static enum err_code
take_format(struct bytes name, const struct api_wire_format **out, struct err *err)
{
    char formats[FORMATS_TEXT_BYTES_MAX], shown[API_SHOWN_BYTES_MAX + 1];

    *out = name.data != NULL ? api_wire_format_find(name) : NULL;
    if (name.data == NULL || *out != NULL)
        return OK;
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE, "there is no format '%s', only %s",
                   api_text_shown(name, shown), list_formats(formats));
}

static enum err_code
take_text(struct api_request *rq, struct api_object *body, const char *name, const char **out,
          struct err *err)
{
    struct bytes value;

    TRY(api_negotiate_word(rq, body, name, &value, err));
    if (value.data == NULL)
        return OK;
    *out = arena_text(api_request_arena(rq), value, err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

enum err_code
api_import_options_of(struct api_request *rq, struct api_object *body,
                      struct api_import_options *out, struct err *err)
{
    struct bytes format;

    *out = (struct api_import_options){.tensor = NULL};
    TRY(api_negotiate_word(rq, body, "format", &format, err));
    TRY(take_format(format, &out->format, err));
    TRY(take_text(rq, body, "prefix", &out->prefix, err));
    TRY(take_text(rq, body, "tensor", &out->tensor, err));
    TRY(api_negotiate_either(rq, body, "on_unsupported", "error", "skip", &out->skip_unsupported,
                             err));
    return api_negotiate_npy_v2(rq, body, &out->npy_v2, err);
}

/* --- which format --- */

/* What the Content-Type says; NULL: nothing that would decide. */
static enum err_code
format_of_type(struct api_request *rq, const struct api_wire_format **out, struct err *err)
{
    static const char *const undecided[] = {
        "application/octet-stream", "application/x-www-form-urlencoded",
        "application/zip",          "application/x-tar",
        "application/gzip",         "application/x-gzip",
    };
    struct bytes header = api_request_header(rq, "Content-Type"), type;
    char formats[FORMATS_TEXT_BYTES_MAX], shown[API_SHOWN_BYTES_MAX + 1];

    *out = NULL;
    if (header.data == NULL || !api_chars_next(&header, ';', &type))
        return OK;
    type = api_chars_trim(type);
    for (size_t i = 0; i < sizeof undecided / sizeof undecided[0]; i++)
        if (api_chars_equal(type, undecided[i]))
            return OK;
    *out = api_wire_format_of_type(type);
    if (*out != NULL)
        return OK;
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "a body of type '%s' is not taken here, only %s, and archives of such files",
                   api_text_shown(type, shown), list_formats(formats));
}

static const struct api_wire_format *
sniff_stream(struct bytes first, uint64_t size)
{
    for (size_t i = 0; api_wire_format_at(i) != NULL; i++) {
        const struct api_wire_format *format = api_wire_format_at(i);

        if (format->streams && format->sniff(first, size))
            return format;
    }
    return NULL;
}

static enum err_code
unrecognized(const struct api_import *import, struct err *err)
{
    char formats[FORMATS_TEXT_BYTES_MAX], shown[API_SHOWN_BYTES_MAX + 1];

    if (import->input.prefix != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "there is no checkpoint '%s' among the files (prefix=), or they are of no "
                       "format that is known; the formats are %s",
                       api_text_shown(bytes_of_text(import->input.prefix), shown),
                       list_formats(formats));
    if (import->files.count == 1 && import->files.entries[0].file.size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the file is empty; the formats are %s",
                       list_formats(formats));
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the bytes are of no format that is known, or their end is missing; the formats "
                   "are %s",
                   list_formats(formats));
}

/* --- opening --- */

static void
begin(struct api_request *rq, const struct api_import_options *options, struct api_import *out)
{
    const struct service_limits *limits = service_limits_of(api_request_service(rq));

    *out = (struct api_import){.rq = rq, .format = options->format};
    out->limits = (struct api_wire_limits){
        .bytes_max = api_request_settings(rq)->import_max_bytes,
        .tensors_max = limits->variables_per_request_max,
        .memory_bytes_max = limits->expression_bytes_max,
    };
    out->input = (struct api_wire_input){
        .service = api_request_service(rq),
        .arena = api_request_arena(rq),
        .limits = &out->limits,
        .stream_size = UINT64_MAX,
        .prefix = options->prefix,
        .tensor = options->tensor != NULL ? options->tensor : "arr_0",
        .npy_v2 = options->npy_v2,
    };
}

/* Tensors that cannot be kept are an error, or left out. */
static enum err_code
judge(const struct api_import *import, const struct api_import_options *options, struct err *err)
{
    const struct api_wire_catalog *catalog = &import->reader.catalog;
    char name[API_SHOWN_BYTES_MAX + 1];
    uint64_t total = 0;

    if (catalog->refused_count > 0 && !options->skip_unsupported) {
        api_text_shown(catalog->refused[0].name, name);
        err_about(err, "tensor", name);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "tensor '%s': %s (on_unsupported=skip leaves such tensors out)", name,
                       catalog->refused[0].reason);
    }
    for (size_t i = 0; i < catalog->count; i++)
        if (__builtin_add_overflow(total, catalog->tensors[i].size, &total))
            total = UINT64_MAX;
    if (total > import->limits.bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the tensors take %" PRIu64 " bytes, the limit is %" PRIu64
                       " (import_max_bytes)",
                       total, import->limits.bytes_max);
    return OK;
}

static enum err_code
open_stream(struct api_import *import, const struct api_import_options *options, struct err *err)
{
    import->input.stream = &import->bytes;
    TRY(import->format->open(&import->input, &import->reader, err));
    return judge(import, options, err);
}

/* The one file, read front to back, when it is of such a format. */
static enum err_code
try_single_file(struct api_import *import, bool *done, const struct api_import_options *options,
                struct err *err)
{
    uint8_t first[API_WIRE_SNIFF_BYTES];
    const struct api_file *file = &import->files.entries[0].file;
    size_t size = file->size < sizeof first ? (size_t)file->size : sizeof first;

    *done = false;
    if (import->format != NULL && !import->format->streams)
        return OK;
    TRY(api_file_read(file, 0, first, size, err));
    if (import->format == NULL)
        import->format = sniff_stream(bytes_of(first, size), file->size);
    if (import->format == NULL)
        return OK;
    import->file = (struct api_file_stream){.file = *file};
    import->bytes = api_file_source(&import->file);
    import->input.stream_size = file->size;
    *done = true;
    return open_stream(import, options, err);
}

/* The one file may be an archive: what is in it takes its place. An array by name in one is not the
 * same as an array alone. */
static enum err_code
try_archive(struct api_import *import, bool *done, const struct api_import_options *options,
            struct err *err)
{
    const struct api_unpack_limits limits = {
        .bytes_max = import->limits.bytes_max,
        .files_max = import->limits.tensors_max + FILES_BESIDE_MAX,
    };
    struct api_file_set members;
    bool unpacked = false;

    TRY(api_unpack(&import->files.entries[0].file, import->scratch, &limits, import->input.arena,
                   &members, &unpacked, err));
    if (!unpacked)
        return OK;
    import->files = members;
    if (members.count != 1 || bytes_end_with(members.entries[0].name, bytes_of_text(".npy")))
        return OK;
    return try_single_file(import, done, options, err);
}

static enum err_code
open_files(struct api_import *import, const struct api_import_options *options, struct err *err)
{
    bool done = false;

    if (import->scratch == NULL)
        TRY(scratch_open(import->input.service, &import->scratch, err));
    import->input.files = &import->files;
    import->input.scratch = import->scratch;
    TRY(api_file_set_sort(&import->files, err));
    if (import->files.count == 1)
        TRY(try_single_file(import, &done, options, err));
    if (import->files.count == 1 && !done)
        TRY(try_archive(import, &done, options, err));
    if (done)
        return OK;
    for (size_t i = 0; import->format == NULL && api_wire_format_at(i) != NULL; i++) {
        const struct api_wire_format *format = api_wire_format_at(i);

        if (!format->streams && format->claims(&import->input))
            import->format = format;
    }
    if (import->format == NULL || import->format->streams)
        return unrecognized(import, err);
    TRY(import->format->open(&import->input, &import->reader, err));
    return judge(import, options, err);
}

/* The whole body into the scratch, as one file. */
static enum err_code
spool(struct api_import *import, struct err *err)
{
    struct arena *arena = import->input.arena;
    struct api_file file = {.begin = 0};
    uint8_t *room = arena_alloc(arena, SPOOL_BYTES, err);
    size_t got = 0;

    if (room == NULL)
        return ERR_NO_MEMORY;
    TRY(scratch_open(import->input.service, &import->scratch, err));
    do {
        TRY(import->bytes.read(import->bytes.context, room, SPOOL_BYTES, &got, err));
        TRY(scratch_append(import->scratch, room, got, err));
    } while (got > 0);
    TRY(scratch_descriptor(import->scratch, &file.descriptor, err));
    file.size = scratch_size(import->scratch);
    return api_file_set_add(&import->files, arena, bytes_of_text("body"), &file, err);
}

enum err_code
api_import_open_body(struct api_request *rq, const struct api_import_options *options,
                     struct api_import *out, struct err *err)
{
    uint8_t first[API_WIRE_SNIFF_BYTES];
    size_t got = 0;

    begin(rq, options, out);
    if (out->format == NULL)
        TRY(format_of_type(rq, &out->format, err));
    out->bytes = api_request_body_source(rq);
    TRY(api_request_body_peek(rq, first, sizeof first, &got, err));
    if (out->format == NULL)
        out->format = sniff_stream(bytes_of(first, got), api_request_body_length(rq));
    if (out->format != NULL && out->format->streams) {
        out->input.stream_size = api_request_body_length(rq);
        return open_stream(out, options, err);
    }
    TRY(spool(out, err));
    return open_files(out, options, err);
}

enum err_code
api_import_open_files(struct api_request *rq, const struct api_file_set *files,
                      const struct api_import_options *options, struct api_import *out,
                      struct err *err)
{
    begin(rq, options, out);
    out->files = *files;
    return open_files(out, options, err);
}

enum err_code
api_import_tell_skipped(const struct api_import *import, json_t *json, struct err *err)
{
    return api_describe_skipped(import->reader.catalog.refused,
                                import->reader.catalog.refused_count, json, err);
}
