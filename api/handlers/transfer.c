/* Checkpoints from and to the formats of others. */
#include <stdio.h>

#include "api/guard/origin.h"
#include "api/handlers/handlers.h"
#include "api/handlers/transfer.h"
#include "api/json/text.h"
#include "api/outcome.h"
#include "api/resource/describe.h"
#include "api/tensors/picks.h"
#include "api/tensors/tensor_io.h"
#include "service/saving/checkpoint.h"
#include "store/base/scope.h"

/* --- out --- */

/* Name, value … as checkpoints keep them. */
static enum err_code
split_pairs(struct api_request *rq, struct bytes pairs, const struct bytes **out, size_t *count,
            struct err *err)
{
    size_t room = pairs.size / 4 + 1, texts = 0; /* a text has a length of 4 bytes at least */
    struct bytes *metadata = arena_array(api_request_arena(rq), room, sizeof *metadata, err);
    struct reader in = reader_of(pairs);

    if (metadata == NULL)
        return ERR_NO_MEMORY;
    while (in.left.size > 0 && !in.failed)
        metadata[texts++] = reader_bytes(&in);
    *out = metadata;
    *count = texts / 2;
    return OK;
}

enum err_code
api_transfer_out(struct api_request *rq, const struct checkpoint_info *info, struct bytes pairs,
                 struct api_export *what, struct err *err)
{
    struct api_origin origin = {api_request_model(rq), info->record.revision,
                                info->record.has_global_step, info->record.global_step};
    const struct bytes *imported = NULL;
    size_t count = 0;

    what->name = api_file_name(info->name);
    what->shards = info->record.shards;
    what->modified_ms = info->record.created_ms;
    TRY(split_pairs(rq, pairs, &imported, &count, err));
    return api_origin_metadata(&origin, imported, count, api_request_arena(rq), &what->metadata,
                               &what->metadata_count, err);
}

enum err_code
api_checkpoint_export(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(tensor_set) set = {0};
    AUTO(buf) pairs;
    struct api_export what = {.shards = 1};
    struct checkpoint_info info;
    char representation[API_REPRESENTATION_BYTES_MAX];
    bool done = false;

    buf_init(&pairs, CHECKPOINT_METADATA_BYTES_MAX);
    TRY(api_export_options_of_query(rq, rp, &what.options, err));
    TRY(checkpoint_read_some(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                             api_export_wants_outline(rq, &what.options), &info, &pairs, &set,
                             err));
    TRY(api_reply_etag(rq, rp, info.record.revision,
                       api_representation(rq, what.options.format->name, representation), &done,
                       err));
    if (done)
        return OK;
    TRY(api_transfer_out(rq, &info, buf_bytes(&pairs), &what, err));
    return api_export_reply(rq, rp, &what, &set, err);
}

/* --- in --- */

enum err_code
api_render_imported(struct api_request *rq, struct api_reply *rp, const void *result,
                    uint64_t revision, struct err *err)
{
    const struct api_imported *imported = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_reply_revision(rp, revision, err));
    TRY(api_reply_header(rp, "Location", err, "/v1/models/%s/checkpoints/%s", api_request_model(rq),
                         imported->info.name));
    TRY(api_describe_checkpoint(&imported->info, &json, err));
    TRY(api_json_set(json, "format", json_string(imported->import->format->name), err));
    TRY(api_import_tell_skipped(imported->import, json, err));
    return api_reply_json(rp, imported->info.replaced ? 200 : 201, TAKE(json), err);
}

enum err_code
api_transfer_in(struct api_request *rq, const char *name, bool overwrite,
                const struct write_options *options, struct api_imported *imported,
                uint64_t *revision, struct err *err)
{
    const struct api_import *import = imported->import;
    const struct api_wire_catalog *catalog = &import->reader.catalog;
    struct checkpoint_import *imports =
        arena_array(api_request_arena(rq), catalog->count, sizeof *imports, err);

    if (imports == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < catalog->count; i++)
        imports[i] = (struct checkpoint_import){
            .name = catalog->tensors[i].name,
            .type = catalog->tensors[i].type,
            .size = catalog->tensors[i].size,
            .shard = catalog->tensors[i].shard,
            .partition = catalog->tensors[i].partition,
            .part_shards = catalog->tensors[i].part_shards,
        };
    return checkpoint_import(api_request_service(rq), api_request_model(rq), name, imports,
                             catalog->count, catalog->metadata, catalog->metadata_count,
                             &import->reader.source, overwrite, options, &imported->info, revision,
                             err);
}

enum err_code
api_checkpoint_import(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_import) import = {.rq = rq};
    struct api_imported imported = {.import = &import};
    struct api_import_options how;
    struct write_options options;
    uint64_t revision = 0;
    bool overwrite = false;

    TRY(api_request_query_bool(rq, "overwrite", false, &overwrite, err));
    TRY(api_import_options_of(rq, NULL, &how, err));
    TRY(api_outcome_begin(rq, api_render_imported, &imported, &options, err));
    TRY(api_import_open_body(rq, &how, &import, err));
    TRY(api_transfer_in(rq, api_request_name(rq), overwrite, &options, &imported, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}
