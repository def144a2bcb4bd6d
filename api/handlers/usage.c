/* GET /v1/usage: what the store takes, for operators and dashboards. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/resource/describe.h"
#include "service/usage/usage.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

/* The room on a disk changes all the time: told in whole MiB, so that a reply stays true a while.
 */
enum { DISK_STEP_BYTES = 1 << 20 };

static json_t *
json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static uint64_t
disk_free_bytes(const struct service_usage *usage)
{
    return usage->store.disk_free_bytes / DISK_STEP_BYTES * DISK_STEP_BYTES;
}

/* Chunks that are freed are deleted a little later, without a new revision. */
static enum err_code
reply_etag(struct api_request *rq, struct api_reply *rp, const struct service_usage *usage,
           bool *done, struct err *err)
{
    const struct store_stats *store = &usage->store;
    struct bytes query = api_request_query_text(rq);
    const uint64_t others[] = {store->file_bytes, store->free_bytes, store->garbage_chunks,
                               disk_free_bytes(usage)};
    char representation[32];

    snprintf(representation, sizeof representation, "usage-%08" PRIx32,
             crc32c(crc32c(0, query.data, query.size), others, sizeof others));
    return api_reply_etag(rq, rp, usage->revision, representation, done, err);
}

static enum err_code
describe_files(const struct store_stats *store, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *list = NULL;

    TRY(api_json_made(json_array(), &list, err));
    for (int i = 0; i < STORE_FILES; i++) {
        const struct store_file_stats *file = &store->files[i];

        TRY(api_json_push(list,
                          json_pack("{s:s, s:I, s:I, s:I}", "name", file->name, "bytes",
                                    (json_int_t)file->bytes, "used_bytes",
                                    (json_int_t)(file->bytes - file->free_bytes), "free_bytes",
                                    (json_int_t)file->free_bytes),
                          err));
    }
    return api_json_made(json_pack("{s:I, s:I, s:I, s:I, s:o}", "bytes",
                                   (json_int_t)store->file_bytes, "used_bytes",
                                   (json_int_t)(store->file_bytes - store->free_bytes),
                                   "free_bytes", (json_int_t)store->free_bytes, "garbage_chunks",
                                   (json_int_t)store->garbage_chunks, "list", TAKE(list)),
                         out, err);
}

static enum err_code
describe_limits(const struct service_usage *usage, json_t **out, struct err *err)
{
    const struct store_stats *store = &usage->store;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *most = store->size_max_bytes == 0 ? json_null() : json_u64(store->size_max_bytes);

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "store_max_bytes", most, err));
    TRY(api_json_set(json, "map_size_bytes", json_u64(store->map_bytes), err));
    TRY(api_json_set(json, "disk_free_bytes", json_u64(disk_free_bytes(usage)), err));
    TRY(api_json_set(json, "disk_reserve_bytes", json_u64(store->disk_reserve_bytes), err));
    *out = TAKE(json);
    return OK;
}

static enum err_code
describe_model(const struct service_usage *usage, const struct service_usage_model *model,
               json_t **out, struct err *err)
{
    const bool one = model->name[0] != '\0'; /* else all together */
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    if (one)
        TRY(api_json_set(json, "name", json_string(model->name), err));
    TRY(api_json_set(json, "variables", json_u64(model->variables), err));
    TRY(api_json_set(json, "initialized", json_u64(model->initialized), err));
    TRY(api_json_set(json, "variable_bytes", json_u64(model->variable_bytes), err));
    TRY(api_json_set(json, "checkpoints", json_u64(model->checkpoints), err));
    TRY(api_json_set(json, "checkpoint_bytes", json_u64(model->checkpoint_bytes), err));
    TRY(api_json_set(json, "logical_bytes",
                     json_u64(model->variable_bytes + model->checkpoint_bytes), err));
    if (usage->stored) {
        TRY(api_json_set(json, "stored_bytes", json_u64(model->stored_bytes), err));
        if (one)
            TRY(api_json_set(json, "unique_bytes", json_u64(model->unique_bytes), err));
        TRY(api_json_set(json, "shared_between_checkpoints_bytes", json_u64(model->common_bytes),
                         err));
    }
    *out = TAKE(json);
    return OK;
}

/* Those of the page. */
static enum err_code
push_models(const struct service_usage *usage, struct api_page *page, struct err *err)
{
    struct bytes after = bytes_of_text(page->after != NULL ? page->after : "");
    size_t pushed = 0;

    for (size_t i = 0; i < usage->model_count; i++) {
        const struct service_usage_model *model = &usage->models[i];
        json_t *json = NULL;

        if (bytes_compare(bytes_of_text(model->name), after) <= 0)
            continue;
        page->more = pushed == page->size;
        if (page->more)
            return OK;
        TRY(describe_model(usage, model, &json, err));
        TRY(api_page_push(page, json, model->name, err));
        pushed++;
    }
    return OK;
}

static enum err_code
describe(const struct service_usage *usage, struct api_page *page, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "revision", json_u64(usage->revision), err));
    TRY(describe_files(&usage->store, &part, err));
    TRY(api_json_set(json, "files", part, err));
    TRY(describe_limits(usage, &part, err));
    TRY(api_json_set(json, "limits", part, err));
    TRY(describe_model(usage, &usage->total, &part, err));
    TRY(api_json_set(json, "total", part, err));
    TRY(api_json_set(json, "models", json_incref(page->items), err));
    TRY(api_json_set(json, "next_page_token", page->more ? json_string(page->last) : json_null(),
                     err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_usage(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(service_usage) usage = {.revision = 0};
    AUTO(api_page) page = {0};
    bool stored = true, done = false;
    json_t *json = NULL;

    TRY(api_page_begin(rq, &page, err));
    TRY(api_request_query_bool(rq, "stored", true, &stored, err));
    TRY(service_usage_open(api_request_service(rq), &usage, err));
    TRY(reply_etag(rq, rp, &usage, &done, err));
    if (done)
        return OK;
    TRY(service_usage_run(&usage, stored, err));
    TRY(push_models(&usage, &page, err));
    TRY(describe(&usage, &page, &json, err));
    return api_reply_json(rp, 200, json, err);
}
