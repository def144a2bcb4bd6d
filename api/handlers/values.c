/* Values of variables: read one or many, write one or many from a body. */
#include <inttypes.h>
#include <stdio.h>

#include "api/guard/origin.h"
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/resource/describe.h"
#include "api/resource/device_around.h"
#include "api/resource/device_warning.h"
#include "api/resource/expr_json.h"
#include "api/resource/variable_names.h"
#include "api/tensors/export.h"
#include "api/tensors/import.h"
#include "api/tensors/tensor_io.h"
#include "service/tensor/slice.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

#define ONE_TENSOR                                                                                 \
    (API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_RAW) | API_FORMATS(API_FORMAT_NPY) |    \
     API_FORMATS(API_FORMAT_SAFETENSORS))
#define MANY_TENSORS                                                                               \
    (API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_SAFETENSORS) |                          \
     API_FORMATS(API_FORMAT_NPZ))

/* --- reading --- */

enum err_code
api_value_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(tensor_set) set = {0};
    const char *model = api_request_model(rq), *name = api_request_name(rq);
    char representation[API_REPRESENTATION_BYTES_MAX];
    enum api_format format = API_FORMAT_JSON;
    enum dtype cast_to = DTYPE_UNSET;
    struct tensor_type type;
    uint64_t revision = 0;
    bool done = false;

    TRY(api_negotiate_reply(rq, rp, ONE_TENSOR, &format, err));
    TRY(api_negotiate_conversion(rq, &cast_to, err));
    api_representation(rq, api_format_name(format), representation);
    /* A client that has the value already costs a look-up, whatever the value's size. */
    if (api_reply_is_conditional(rq)) {
        TRY(variable_type(api_request_service(rq), model, name, &type, &revision, err));
        TRY(api_reply_etag(rq, rp, revision, representation, &done, err));
        if (done)
            return OK;
    }
    TRY(variable_read(api_request_service(rq), model, name, api_request_query(rq, "slice"), cast_to,
                      !api_request_on_worker(rq), &set, err));
    TRY(api_reply_etag(rq, rp, set.entries[0].revision, representation, &done, err));
    if (done)
        return OK;
    return api_reply_tensor(rq, rp, format, &set, err);
}

/* {"indices": expression of integers} */
enum err_code
api_value_gather(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct service *service = api_request_service(rq);
    struct expr_limits limits = variable_expr_limits(service_limits_of(service));
    AUTO(expr_tree) indices = {0};
    AUTO(tensor_set) set = {0};
    enum api_format format = API_FORMAT_JSON;
    enum dtype cast_to = DTYPE_UNSET;
    struct api_value expression;
    struct api_object body;

    TRY(api_negotiate_reply(rq, rp, ONE_TENSOR, &format, err));
    TRY(api_negotiate_conversion(rq, &cast_to, err));
    TRY(api_request_object(rq, &body, err));
    (void)api_object_has(&body, "indices", &expression);
    TRY(api_object_end(&body, err));
    TRY(api_object_value(&body, "indices", &expression, err));
    TRY(api_expr_decode(&expression, DTYPE_INT64, &limits, &indices, err));
    TRY(variable_gather(service, api_request_model(rq), api_request_name(rq), &indices, cast_to,
                        &set, err));
    TRY(api_reply_revision(rp, set.revision, err));
    return api_reply_tensor(rq, rp, format, &set, err);
}

enum err_code
api_values_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(tensor_set) set = {0};
    struct bytes names_text = api_request_query(rq, "names");
    struct bytes prefix_text = api_request_query(rq, "prefix");
    char representation[API_REPRESENTATION_BYTES_MAX];
    struct api_export_options how = {.format = &api_wire_safetensors};
    const struct bytes *metadata = NULL;
    struct api_origin origin;
    enum api_format format = API_FORMAT_JSON;
    const char **names = NULL, *prefix = "";
    size_t name_count = 0, metadata_count = 0;
    uint64_t revision = 0;
    bool done = false;

    TRY(api_negotiate_reply(rq, rp, MANY_TENSORS, &format, err));
    if (format != API_FORMAT_SAFETENSORS)
        how.format = &api_wire_npz;
    TRY(api_export_options_take(rq, NULL, &how, err));
    if (names_text.data != NULL && prefix_text.data != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "give 'names' or 'prefix', not both");
    if (names_text.data != NULL)
        TRY(api_variable_names_split(api_request_arena(rq), names_text, &names, &name_count, err));
    if (prefix_text.data != NULL)
        prefix = arena_text(api_request_arena(rq), prefix_text, err);
    if (prefix == NULL)
        return ERR_NO_MEMORY;
    api_representation(rq, api_format_name(format), representation);
    /* A client that has the values already costs a look-up, however many there are. */
    if (api_reply_is_conditional(rq)) {
        TRY(variable_list_revision(api_request_service(rq), api_request_model(rq), &revision, err));
        TRY(api_reply_etag(rq, rp, revision, representation, &done, err));
        if (done)
            return OK;
    }
    TRY(variable_read_some(
        api_request_service(rq), api_request_model(rq), names, name_count, prefix,
        format == API_FORMAT_SAFETENSORS && api_export_wants_outline(rq, &how), &set, err));
    TRY(api_reply_etag(rq, rp, set.revision, representation, &done, err));
    if (done)
        return OK;
    TRY(api_reply_revision(rp, set.revision, err));
    origin = (struct api_origin){api_request_model(rq), set.revision, set.has_step, set.step};
    TRY(api_origin_metadata(&origin, NULL, 0, api_request_arena(rq), &metadata, &metadata_count,
                            err));
    return api_reply_tensors(rq, rp, format, &set, metadata, metadata_count, err);
}

/* --- writing one --- */

struct put_value {
    struct variable_change change;
    const struct device_conflicts *conflicts; /* NULL: none */
};

static enum err_code
render_change(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
              struct err *err)
{
    const struct put_value *put = result;
    const struct variable_change *change = &put->change;
    json_t *json = NULL;

    (void)revision; /* the change's own */
    TRY(api_reply_revision(rp, change->revision, err));
    TRY(api_device_warning(rp, put->conflicts, err));
    TRY(api_reply_header(rp, "ETag", err, "\"r%" PRIu64 "-variable\"", change->revision));
    TRY(api_describe_change(change, &json, err));
    return api_reply_written(rq, rp, change->created, "variables", change->name, json, err);
}

static enum err_code
assign_body(struct api_request *rq, struct api_reply *rp, const struct tensor_type *hint,
            const struct variable_assign_options *how, struct err *err)
{
    AUTO(api_tensor_body) body = {0};
    struct write_options options;
    struct put_value put = {.conflicts = how->conflicts};

    TRY(api_outcome_begin(rq, render_change, &put, &options, err));
    TRY(api_tensor_body_open(rq, hint, &body, err));
    TRY(variable_assign(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                        &body.type, body.size, &body.source, how, &options, &put.change, err));
    return api_outcome_reply(rq, rp, put.change.revision, err);
}

enum err_code
api_value_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct variable_assign_options how = {.slice = api_request_query(rq, "slice"),
                                          .keep_shape = true};
    struct tensor_type hint;
    struct slice slice;
    uint64_t revision = 0;

    TRY(variable_type(api_request_service(rq), api_request_model(rq), api_request_name(rq), &hint,
                      &revision, err));
    if (how.slice.data != NULL) {
        TRY(slice_parse(how.slice, &hint.shape, &slice, err));
        hint.shape = slice.result;
    }
    return assign_body(rq, rp, &hint, &how, err);
}

/* Around what is made. What is there already stays where it is, and who asked is told. */
static enum err_code
take_scope(struct api_request *rq, struct variable_assign_options *how, struct err *err)
{
    struct device_scope *scope = arena_alloc(api_request_arena(rq), sizeof *scope, err);
    bool given = false;

    if (scope == NULL)
        return ERR_NO_MEMORY;
    TRY(api_device_query(rq, &scope->spec, &given, err));
    how->scopes = scope;
    how->scope_count = given ? 1 : 0;
    if (!given)
        return OK;
    how->conflicts = arena_alloc(api_request_arena(rq), sizeof *how->conflicts, err);
    return how->conflicts == NULL ? ERR_NO_MEMORY : OK;
}

/* The dtype a JSON body takes when the variable exists; a new one takes what the body says. */
enum err_code
api_variable_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct variable_assign_options how = {.create = true, .trainable = true, .keep_shape = true};
    struct tensor_type hint;
    uint64_t revision = 0;
    enum err_code code;

    TRY(api_request_query_bool(rq, "trainable", true, &how.trainable, err));
    TRY(take_scope(rq, &how, err));
    code = variable_type(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         &hint, &revision, err);
    if (code == ERR_NOT_FOUND)
        err_clear(err);
    else
        TRY(code);
    return assign_body(rq, rp, code == OK ? &hint : NULL, &how, err);
}

/* --- writing many --- */

struct assigned {
    json_t *names;
    const struct api_import *import;
    const struct device_conflicts *conflicts; /* NULL: none */
};

static enum err_code
render_assigned(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
                struct err *err)
{
    const struct assigned *assigned = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_device_warning(rp, assigned->conflicts, err));
    TRY(api_json_made(
        json_pack("{s:O, s:I}", "assigned", assigned->names, "revision", (json_int_t)revision),
        &json, err));
    if (assigned->import->reader.catalog.refused_count > 0)
        TRY(api_import_tell_skipped(assigned->import, json, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

enum err_code
api_values_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct variable_assign_options how = {.trainable = true, .keep_shape = true};
    AUTO(api_import) body = {.rq = rq};
    struct api_import_options as;
    struct write_options options;
    struct variable_import *imports;
    const struct api_wire_catalog *catalog = &body.reader.catalog;
    AUTO_CALL(api_json_release) json_t *names = NULL;
    struct assigned assigned = {.import = &body};
    uint64_t revision = 0;

    TRY(api_request_query_bool(rq, "create", false, &how.create, err));
    TRY(take_scope(rq, &how, err));
    TRY(api_import_options_of(rq, NULL, &as, err));
    TRY(api_json_made(json_array(), &names, err));
    assigned.names = names;
    assigned.conflicts = how.conflicts;
    TRY(api_outcome_begin(rq, render_assigned, &assigned, &options, err));
    TRY(api_import_open_body(rq, &as, &body, err));
    imports = arena_array(api_request_arena(rq), catalog->count, sizeof *imports, err);
    if (imports == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct api_wire_tensor *entry = &catalog->tensors[i];

        TRY(name_check_tensor(entry->name, err));
        imports[i].name = arena_text(api_request_arena(rq), entry->name, err);
        if (imports[i].name == NULL)
            return ERR_NO_MEMORY;
        imports[i].type = entry->type;
        imports[i].size = entry->size;
        TRY(api_json_push(names, json_string(imports[i].name), err));
    }
    TRY(variable_assign_many(api_request_service(rq), api_request_model(rq), imports,
                             catalog->count, &body.reader.source, &how, &options, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}
