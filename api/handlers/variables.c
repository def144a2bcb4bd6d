/* Variables: create one or many, list, look, delete. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/device_around.h"
#include "api/resource/expr_json.h"
#include "api/resource/partition_json.h"
#include "service/variable/variable.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* Parts of a variable that an HTTP thread describes by itself. */
enum { INLINE_PARTS_MAX = 64 };

enum { API_VARIABLE_TAG_BYTES_MAX = 32 };

/* What all is on in a process without a cluster. */
#define DEVICE_NAME_USUAL "/job:localhost/replica:0/task:0/cpu:0"

/* What a request creates; owns the expressions and the infos. */
struct creation {
    struct variable_spec *specs;
    struct expr_tree *trees;
    struct variable_info *infos; /* on the heap: they are large */
    size_t count, tree_count, info_count;
    bool many; /* an array of them */
};

static void
creation_drop(struct creation *c)
{
    for (size_t i = 0; i < c->tree_count; i++)
        expr_tree_drop(&c->trees[i]);
    for (size_t i = 0; i < c->info_count; i++)
        variable_info_drop(&c->infos[i]);
    mem_free(c->infos);
}

static enum err_code
take_spec(struct api_request *rq, const struct api_value *value, struct creation *c, size_t i,
          struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    struct variable_spec *spec = &c->specs[i];
    struct api_value initial;
    struct api_object body;
    struct shape *shape = arena_alloc(arena, sizeof *shape, err);
    bool given = false;

    *spec = variable_spec_default();
    if (shape == NULL)
        return ERR_NO_MEMORY;
    TRY(api_object_of(value, &body, err));
    TRY(api_object_text(&body, "name", arena, &spec->name, &given, err));
    TRY(api_object_bool(&body, "uniquify", &spec->uniquify, &given, err));
    TRY(api_object_dtype(&body, "dtype", &spec->dtype, &given, err));
    TRY(api_object_shape(&body, "shape", shape, &given, err));
    spec->shape = given ? shape : NULL;
    TRY(api_object_bool(&body, "trainable", &spec->trainable, &given, err));
    TRY(api_object_bool(&body, "validate_shape", &spec->validate_shape, &given, err));
    TRY(api_object_bool(&body, "row_updates", &spec->row_updates, &given, err));
    TRY(api_object_bool(&body, "virtual", &spec->is_virtual, &given, err));
    TRY(api_device_take_around(&body, arena, &spec->scopes, err));
    TRY(api_partition_decode(&body, arena, &spec->partition, err));
    {
        const char **collections = NULL;

        TRY(api_object_texts(&body, "collections", arena, &collections, &spec->collection_count,
                             &given, err));
        spec->collections = given ? collections : NULL;
    }
    if (api_object_has(&body, "initial_value", &initial)) {
        TRY(api_expr_decode(&initial, spec->dtype, &limits, &c->trees[c->tree_count], err));
        spec->initial_value = &c->trees[c->tree_count++];
    }
    return api_object_end(&body, err);
}

static enum err_code
make_room(struct api_request *rq, struct creation *c, size_t count, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    uint32_t limit = service_limits_of(api_request_service(rq))->variables_per_request_max;

    if (count > limit)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu variables in one request, the limit is %" PRIu32
                       " (variables_per_request_max)",
                       count, limit);
    c->count = count;
    c->specs = arena_array(arena, count, sizeof *c->specs, err);
    c->trees = arena_array(arena, count, sizeof *c->trees, err);
    c->infos = mem_zeroed(count, sizeof *c->infos, err);
    return c->specs && c->trees && c->infos ? OK : ERR_NO_MEMORY;
}

static enum err_code
take_specs(struct api_request *rq, const struct api_value *root, struct creation *c,
           struct err *err)
{
    struct api_value *elements = NULL;
    size_t count = 0;

    c->many = api_value_kind(root) == API_ARRAY;
    if (!c->many) {
        TRY(make_room(rq, c, 1, err));
        return take_spec(rq, root, c, 0, err);
    }
    TRY(api_value_elements(root, api_request_arena(rq), &elements, &count, err));
    TRY(make_room(rq, c, count, err));
    for (size_t i = 0; i < count; i++) {
        enum err_code code = take_spec(rq, &elements[i], c, i, err);

        if (code != OK && err->failed_operation < 0)
            err->failed_operation = (int64_t)i;
        TRY(code);
    }
    return OK;
}

/* "variable", with more in it where the variable is on another device than it is on in a process of
 * which nothing is said: which one that is does not depend on the variable's revision alone. */
static const char *
name_representation(const struct variable_info *info, char out[static API_VARIABLE_TAG_BYTES_MAX])
{
    uint64_t hash = BYTES_HASH_BEGIN;
    bool usual = true;

    for (uint32_t i = 0; i <= info->part_devices.count; i++) {
        const char *device = i == 0 ? info->record.device : info->part_devices.each[i - 1];
        const struct device *assigned = variable_info_assigned(info, device);
        const char *name = assigned == NULL ? "" : assigned->name;

        usual = usual && strcmp(name, DEVICE_NAME_USUAL) == 0;
        hash = bytes_hash(hash, bytes_of(name, strlen(name) + 1));
    }
    if (usual)
        snprintf(out, API_VARIABLE_TAG_BYTES_MAX, "variable");
    else
        snprintf(out, API_VARIABLE_TAG_BYTES_MAX, "variable-%016" PRIx64, hash);
    return out;
}

/* With its parts; lists show only how many there are. */
static enum err_code
describe_whole(const struct variable_info *info, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *variable = NULL;

    TRY(api_describe_variable(info, &variable, err));
    TRY(api_partition_add_parts(info, variable, err));
    *out = TAKE(variable);
    return OK;
}

static enum err_code
render_created(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    const struct creation *c = result;
    AUTO_CALL(api_json_release) json_t *list = NULL;
    json_t *json = NULL;

    TRY(api_reply_revision(rp, revision, err));
    if (!c->many) {
        TRY(api_reply_header(rp, "Location", err, "/v1/models/%s/variables/%s",
                             api_request_model(rq), c->infos[0].name));
        TRY(describe_whole(&c->infos[0], &json, err));
        return api_reply_json(rp, 201, json, err);
    }
    TRY(api_json_made(json_array(), &list, err));
    for (size_t i = 0; i < c->count; i++) {
        TRY(api_describe_variable(&c->infos[i], &json, err));
        TRY(api_json_push(list, json, err));
    }
    TRY(api_reply_header(rp, "Location", err, "/v1/models/%s/variables", api_request_model(rq)));
    return api_reply_json(
        rp, 201, json_pack("{s:O, s:I}", "variables", list, "revision", (json_int_t)revision), err);
}

enum err_code
api_variable_create(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(creation_drop) struct creation c = {0};
    struct write_options options;
    struct api_value root;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_created, &c, &options, err));
    TRY(api_request_value(rq, &root, err));
    TRY(take_specs(rq, &root, &c, err));
    TRY(variable_create(api_request_service(rq), api_request_model(rq), c.specs, c.count, &options,
                        c.infos, &revision, err));
    c.info_count = c.count;
    return api_outcome_reply(rq, rp, revision, err);
}

static void
info_free(struct variable_info **info)
{
    if (*info != NULL)
        variable_info_drop(*info);
    mem_free(*info);
}

enum err_code
api_variable_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(info_free) struct variable_info *info = mem_zeroed(1, sizeof *info, err);
    char representation[API_VARIABLE_TAG_BYTES_MAX];
    json_t *json = NULL;
    bool done = false;

    if (info == NULL)
        return ERR_NO_MEMORY;
    TRY(variable_get(api_request_service(rq), api_request_model(rq), api_request_name(rq), info,
                     err));
    if (info->record.partition.count > INLINE_PARTS_MAX && !api_request_on_worker(rq))
        return ERR_DEFER;
    TRY(api_reply_etag(rq, rp, info->record.revision, name_representation(info, representation),
                       &done, err));
    if (done)
        return OK;
    TRY(describe_whole(info, &json, err));
    return api_reply_json(rp, 200, json, err);
}

/* --- moving --- */

struct patched {
    struct variable_info *info; /* on the heap; owned */
    bool filled;
};

static void
patched_drop(struct patched *patched)
{
    if (patched->filled)
        variable_info_drop(patched->info);
    mem_free(patched->info);
}

static enum err_code
render_patched(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    const struct patched *patched = result;
    char representation[API_VARIABLE_TAG_BYTES_MAX];
    json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_reply_header(rp, "ETag", err, "\"r%" PRIu64 "-%s\"", patched->info->record.revision,
                         name_representation(patched->info, representation)));
    TRY(describe_whole(patched->info, &json, err));
    return api_reply_json(rp, 200, json, err);
}

static enum err_code
take_patch(struct api_request *rq, struct variable_patch_spec *spec, struct err *err)
{
    struct api_value value;
    struct api_object body;

    TRY(api_request_object(rq, &body, err));
    spec->has_device = api_object_has(&body, "device", &value);
    spec->has_caching = api_object_has(&body, "caching_device", &value);
    TRY(api_device_take_around(&body, api_request_arena(rq), &spec->scopes, err));
    return api_object_end(&body, err);
}

enum err_code
api_variable_patch(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(patched) patched = {.info = mem_zeroed(1, sizeof *patched.info, err)};
    struct variable_patch_spec spec = {.has_device = false};
    struct write_options options;
    uint64_t revision = 0;

    if (patched.info == NULL)
        return ERR_NO_MEMORY;
    TRY(api_outcome_begin(rq, render_patched, &patched, &options, err));
    TRY(take_patch(rq, &spec, err));
    TRY(variable_patch(api_request_service(rq), api_request_model(rq), api_request_name(rq), &spec,
                       &options, patched.info, &revision, err));
    patched.filled = true;
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_variable_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, variable_delete, err);
}

static enum err_code
take_filter(struct api_request *rq, struct variable_filter *filter, struct device_spec *device,
            struct err *err)
{
    struct bytes dtype = api_request_query(rq, "dtype");
    bool has_device = false;

    *filter = (struct variable_filter){
        .dtype = DTYPE_UNSET,
        .has_trainable = api_request_query(rq, "trainable").data != NULL,
        .has_initialized = api_request_query(rq, "initialized").data != NULL,
    };
    TRY(api_request_query_copy(rq, "prefix", &filter->prefix, err));
    TRY(api_request_query_copy(rq, "collection", &filter->collection, err));
    TRY(api_device_query(rq, device, &has_device, err));
    if (has_device)
        filter->device = device;
    if (dtype.data != NULL && !dtype_of_name(dtype, &filter->dtype))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "query argument 'dtype': there is no dtype '%.*s'", (int)dtype.size,
                       (const char *)dtype.data);
    TRY(api_request_query_bool(rq, "trainable", false, &filter->trainable, err));
    return api_request_query_bool(rq, "initialized", false, &filter->initialized, err);
}

static enum err_code
push_variable(void *context, const struct variable_info *info, struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_variable(info, &json, err));
    return api_page_push(context, json, info->name, err);
}

enum err_code
api_variable_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    struct variable_filter filter;
    struct device_spec device;
    uint64_t revision = 0;

    TRY(take_filter(rq, &filter, &device, err));
    TRY(api_page_begin(rq, &page, err));
    TRY(variable_list(api_request_service(rq), api_request_model(rq), &filter, page.after,
                      page.size, push_variable, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "variables", revision, err);
}
