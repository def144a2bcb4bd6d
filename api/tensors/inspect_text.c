/* inspect_checkpoint's text. Of values only the elements that are shown are read, so that a tensor
 * of any size is looked at as fast as a small one. */
#include "api/tensors/inspect_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/json/numpy_text.h"
#include "api/json/text.h"
#include "service/saving/checkpoint.h"
#include "store/base/scope.h"

enum { TEXT_BYTES_MAX = 64 << 20 };

struct inspection {
    const char *tensor; /* its value is wanted; NULL: none, or all */
    bool values, count_params;
    uint64_t elements_max;
    uint64_t params;
    struct buf out;
};

static void
inspection_drop(struct inspection *inspection)
{
    buf_drop(&inspection->out);
}

/* "w (DT_FLOAT) [2,3]" */
static enum err_code
append_line(const struct checkpoint_look *look, struct buf *out, struct err *err)
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    TRY(buf_append(out, look->name.data, look->name.size, err));
    TRY(buf_append_text(out, " (DT_", err));
    for (const char *p = dtype_info(look->type.dtype)->tf_short_name; *p != '\0'; p++)
        TRY(buf_append_byte(out, (uint8_t)(*p >= 'a' && *p <= 'z' ? *p - ('a' - 'A') : *p), err));
    return buf_printf(out, err, ") %s\n", shape_text(&look->type.shape, shape));
}

/* "tensor_name:  w", and below it the value. */
static enum err_code
append_value(const struct checkpoint_look *look, const struct tensor_corners *corners,
             struct buf *out, struct err *err)
{
    AUTO(buf) data;

    buf_init(&data, TEXT_BYTES_MAX);
    TRY(buf_append_text(out, "tensor_name:  ", err));
    TRY(buf_append(out, look->name.data, look->name.size, err));
    TRY(buf_append_byte(out, '\n', err));
    TRY(checkpoint_look_read(look, corners, &data, err));
    TRY(api_numpy_text(look->type.dtype, corners, buf_bytes(&data), out, err));
    return buf_append_byte(out, '\n', err);
}

static enum err_code
check_elements(const struct inspection *inspection, const char *name, uint64_t count,
               struct err *err)
{
    if (count <= inspection->elements_max)
        return OK;
    err_about(err, "tensor", name);
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "%" PRIu64 " elements of tensor '%s' would be printed, over the limit of "
                   "%" PRIu64 " (max_json_elements): read it in a binary format or by slice",
                   count, name, inspection->elements_max);
}

static enum err_code
show_tensor(void *context, const struct checkpoint_look *look, struct err *err)
{
    struct inspection *inspection = context;
    struct tensor_corners corners =
        tensor_corners_of(&look->type.shape, API_NUMPY_ELEMENTS_MAX, API_NUMPY_EDGE);
    char name[API_SHOWN_BYTES_MAX + 1];
    enum err_code code;

    inspection->params += shape_count(&look->type.shape);
    if (!inspection->values)
        return append_line(look, &inspection->out, err);
    api_text_shown(look->name, name);
    TRY(check_elements(inspection, name, shape_count(&corners.kept), err));
    code = append_value(look, &corners, &inspection->out, err);
    if (code != ERR_PAYLOAD_TOO_LARGE)
        return code;
    err_about(err, "tensor", name);
    err_prefix(err, "with tensor '%s' this text has over %d bytes: read it in a binary format",
               name, (int)TEXT_BYTES_MAX);
    return code;
}

/* Only adds up: the line below the value of one tensor is about all of them. */
static enum err_code
count_tensor(void *context, const struct checkpoint_look *look, struct err *err)
{
    struct inspection *inspection = context;

    (void)err;
    inspection->params += shape_count(&look->type.shape);
    return OK;
}

static enum err_code
take_query(struct api_request *rq, struct inspection *inspection, struct err *err)
{
    bool all = false;

    TRY(api_request_query_bool(rq, "all_tensors", false, &all, err));
    TRY(api_request_query_bool(rq, "count_params", false, &inspection->count_params, err));
    TRY(api_request_query_copy(rq, "tensor", &inspection->tensor, err));
    if (inspection->tensor != NULL && all)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "query arguments 'tensor' and 'all_tensors' do not go together");
    inspection->values = inspection->tensor != NULL || all;
    inspection->elements_max = api_request_settings(rq)->max_json_elements;
    return OK;
}

static enum err_code
print_all(struct api_request *rq, struct inspection *inspection, struct checkpoint_info *info,
          struct err *err)
{
    struct service *service = api_request_service(rq);
    const char *model = api_request_model(rq), *name = api_request_name(rq);

    TRY(checkpoint_look(service, model, name, inspection->tensor, info, show_tensor, inspection,
                        err));
    if (!inspection->values)
        TRY(buf_append_byte(&inspection->out, '\n', err)); /* print's, after a text that ends so */
    if (!inspection->count_params)
        return OK;
    if (inspection->tensor != NULL) {
        inspection->params = 0;
        TRY(checkpoint_look(service, model, name, NULL, info, count_tensor, inspection, err));
    }
    return buf_printf(&inspection->out, err, "# Total number of params: %" PRIu64 "\n",
                      inspection->params);
}

/* The same query of the same checkpoint is the same text. */
static enum err_code
tag(struct api_request *rq, struct api_reply *rp, const struct checkpoint_info *info, bool *done,
    struct err *err)
{
    char representation[40];

    snprintf(representation, sizeof representation, "text-%016" PRIx64,
             bytes_hash(BYTES_HASH_BEGIN, api_request_query_text(rq)));
    return api_reply_etag(rq, rp, info->record.revision, representation, done, err);
}

enum err_code
api_inspect_text(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(inspection) inspection = {.tensor = NULL};
    struct checkpoint_info info;
    bool done = false;

    buf_init(&inspection.out, TEXT_BYTES_MAX);
    TRY(take_query(rq, &inspection, err));
    TRY(print_all(rq, &inspection, &info, err));
    TRY(tag(rq, rp, &info, &done, err));
    if (done)
        return OK;
    return api_reply_buf(rp, 200, "text/plain; charset=utf-8", &inspection.out, err);
}

enum err_code
api_inspect_text_unasked(struct api_request *rq, struct err *err)
{
    static const char *const names[] = {"tensor", "all_tensors", "count_params"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (api_request_query(rq, names[i]).data != NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "query argument '%s' is for format=text; values in other formats are at "
                           ":value?tensor=",
                           names[i]);
    return OK;
}
