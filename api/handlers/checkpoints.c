/* Checkpoints: save, list, inspect, read, export, import, delete. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/resource/describe.h"
#include "api/resource/labels.h"
#include "api/tensors/inspect_text.h"
#include "api/tensors/picks.h"
#include "api/tensors/tensor_digests.h"
#include "api/tensors/tensor_io.h"
#include "service/saving/checkpoint.h"
#include "store/base/scope.h"

/* Adds what it takes, if that was found out. */
static enum err_code
set_usage(json_t *json, const struct checkpoint_info *info, struct err *err)
{
    if (!info->has_usage)
        return OK;
    TRY(api_json_set(json, "unique_bytes", json_integer((json_int_t)info->unique_bytes), err));
    return api_json_set(json, "shared_bytes", json_integer((json_int_t)info->shared_bytes), err);
}

static enum err_code
push_checkpoint(void *context, const struct checkpoint_info *info, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char token[24];

    /* Names may be overwritten or deleted between two pages: the page goes on by id. */
    snprintf(token, sizeof token, "%" PRIu64, info->record.id);
    TRY(api_describe_checkpoint(info, &json, err));
    TRY(set_usage(json, info, err));
    return api_page_push(context, TAKE(json), token, err);
}

enum err_code
api_checkpoint_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    uint64_t revision = 0, before = 0;
    bool usage = false;

    TRY(api_page_begin(rq, &page, err));
    if (page.after != NULL)
        TRY(api_request_query_u64(rq, "page_token", 0, &before, err));
    TRY(api_request_query_bool(rq, "usage", false, &usage, err));
    if (usage && !api_request_on_worker(rq))
        return ERR_DEFER;
    TRY(checkpoint_list(api_request_service(rq), api_request_model(rq), before, page.size, usage,
                        push_checkpoint, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "checkpoints", revision, err);
}

enum err_code
api_checkpoint_latest(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const char *saver = NULL;
    struct checkpoint_info info;
    json_t *json = NULL;
    bool done = false;

    TRY(api_request_query_copy(rq, "saver", &saver, err));
    TRY(checkpoint_latest(api_request_service(rq), api_request_model(rq), saver, &info, err));
    TRY(api_reply_etag(rq, rp, info.record.changed_revision, "latest", &done, err));
    if (done)
        return OK;
    TRY(api_describe_checkpoint(&info, &json, err));
    return api_reply_json(rp, 200, json, err);
}

/* --- inspecting --- */

static enum err_code
push_tensor(void *context, const struct checkpoint_tensor *tensor, struct err *err)
{
    json_t *shape = NULL, *json;
    struct shape slicing;
    char digest[24];

    snprintf(digest, sizeof digest, "crc32c:%08" PRIx32, tensor->crc32c);
    TRY(api_describe_shape(&tensor->type.shape, &shape, err));
    json = json_pack(
        "{s:s%, s:s, s:o, s:I, s:s?, s:I, s:I}", "name", (const char *)tensor->name.data,
        tensor->name.size, "dtype", dtype_name(tensor->type.dtype), "shape", shape, "bytes",
        (json_int_t)tensor->size, "digest", tensor->has_crc32c ? digest : NULL, "unique_bytes",
        (json_int_t)tensor->unique_bytes, "shared_bytes", (json_int_t)tensor->shared_bytes);
    TRY(api_json_push(context, json, err));
    if (tensor->partition.count == 0)
        return OK;
    slicing = partition_slicing_of(&tensor->partition, &tensor->type.shape);
    TRY(api_describe_shape(&slicing, &shape, err));
    return api_json_set(json, "slicing", shape, err);
}

static enum err_code
inspect_json(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_info info;
    AUTO_CALL(api_json_release) json_t *tensors = NULL;
    AUTO_CALL(api_json_release) json_t *metadata = NULL;
    AUTO(buf) pairs;
    uint64_t now = service_revision(api_request_service(rq));
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char representation[40];
    bool done = false, sha256 = false;

    buf_init(&pairs, CHECKPOINT_METADATA_BYTES_MAX);
    TRY(api_tensor_digests_wanted(rq, &sha256, err));
    TRY(api_json_made(json_array(), &tensors, err));
    TRY(checkpoint_inspect(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                           &info, &pairs, push_tensor, tensors, err));
    TRY(api_describe_metadata(buf_bytes(&pairs), &metadata, err));
    /* What is shared changes with other writes: the store's revision is part of the tag. It was
     * read before, so the tag is never newer than what it names. */
    snprintf(representation, sizeof representation, "inspect-%" PRIu64, now);
    TRY(api_reply_etag(rq, rp, info.record.changed_revision, representation, &done, err));
    if (done)
        return OK;
    if (sha256)
        TRY(api_tensor_digests_set(rq, &info, tensors, err));
    TRY(api_describe_checkpoint(&info, &json, err));
    TRY(api_json_set(json, "tensors", TAKE(tensors), err));
    TRY(api_json_set(json, "metadata", TAKE(metadata), err));
    TRY(set_usage(json, &info, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

enum err_code
api_checkpoint_inspect(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    static const struct api_choice choices[] = {{"json", "application/json", NULL},
                                                {"text", "text/plain", NULL}};
    size_t choice = 0;

    TRY(api_negotiate_choice(rq, rp, choices, sizeof choices / sizeof *choices, &choice, err));
    if (choice == 1 && api_request_query(rq, "digest").data != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "query argument 'digest' is for format=json");
    if (choice == 1)
        return api_inspect_text(rq, rp, err);
    TRY(api_inspect_text_unasked(rq, err));
    return inspect_json(rq, rp, err);
}

enum err_code
api_checkpoint_value(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(tensor_set) set = {0};
    struct bytes tensor = api_request_query(rq, "tensor");
    char representation[API_REPRESENTATION_BYTES_MAX];
    enum api_format format = API_FORMAT_JSON;
    enum dtype cast_to = DTYPE_UNSET;
    const char *name;
    bool done = false;

    TRY(api_negotiate_reply(rq, rp,
                            API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_RAW) |
                                API_FORMATS(API_FORMAT_NPY) | API_FORMATS(API_FORMAT_SAFETENSORS),
                            &format, err));
    if (tensor.data == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "query argument 'tensor' is missing");
    TRY(api_negotiate_conversion(rq, &cast_to, err));
    name = arena_text(api_request_arena(rq), tensor, err);
    if (name == NULL)
        return ERR_NO_MEMORY;
    TRY(checkpoint_read(api_request_service(rq), api_request_model(rq), api_request_name(rq), name,
                        api_request_query(rq, "slice"), cast_to, !api_request_on_worker(rq), &set,
                        err));
    TRY(api_reply_etag(rq, rp, set.entries[0].revision,
                       api_representation(rq, api_format_name(format), representation), &done,
                       err));
    if (done)
        return OK;
    return api_reply_tensor(rq, rp, format, &set, err);
}

/* --- changing ------------------------------------------------------------------------------ */

/* A checkpoint_info. */
static enum err_code
render_patched(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_checkpoint(result, &json, err));
    return api_reply_json(rp, 200, json, err);
}

enum err_code
api_checkpoint_patch(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_patch_spec spec = {.has_pinned = false};
    struct checkpoint_info info = {.replaced = false};
    struct write_options options;
    struct api_object body;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_patched, &info, &options, err));
    TRY(api_request_object(rq, &body, err));
    TRY(api_object_bool(&body, "pinned", &spec.pinned, &spec.has_pinned, err));
    TRY(api_labels_take(rq, &body, &spec.labels, &spec.label_count, &spec.has_labels, err));
    TRY(api_object_end(&body, err));
    TRY(checkpoint_patch(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         &spec, &options, &info, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_checkpoint_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, checkpoint_delete, err);
}
