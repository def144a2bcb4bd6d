/* A value as a picture. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/negotiate.h"
#include "api/json/text.h"
#include "api/reply.h"
#include "api/tensors/tensor_io.h"
#include "service/watch/preview.h"
#include "store/base/scope.h"

#define AGAINST_VARIABLE "current"

enum { REPLY_BYTES_MAX = 64 << 20, CELLS_DEFAULT = 256 };

static const char *const reduce_names[PREVIEW_REDUCE_COUNT] = {
    [PREVIEW_MEAN] = "mean",
    [PREVIEW_ABSMAX] = "absmax",
    [PREVIEW_NEAREST] = "nearest",
};

static enum err_code
take_cells(struct api_request *rq, const char *name, uint32_t *out, struct err *err)
{
    uint64_t cells = 0;

    TRY(api_request_query_count(rq, name, CELLS_DEFAULT, PREVIEW_CELLS_MAX, &cells, err));
    *out = (uint32_t)cells;
    return OK;
}

static enum err_code
take_reduce(struct api_request *rq, enum preview_reduce *out, struct err *err)
{
    unsigned reduce = PREVIEW_MEAN;

    TRY(api_request_query_word(rq, "reduce", reduce_names, PREVIEW_REDUCE_COUNT, PREVIEW_MEAN,
                               &reduce, err));
    *out = (enum preview_reduce)reduce;
    return OK;
}

static enum err_code
take_preview(struct api_request *rq, struct preview_spec *out, struct err *err)
{
    out->slice = api_request_query(rq, "slice");
    out->rows = api_request_query(rq, "rows");
    out->cols = api_request_query(rq, "cols");
    TRY(take_cells(rq, "height", &out->height, err));
    TRY(take_cells(rq, "width", &out->width, err));
    return take_reduce(rq, &out->reduce, err);
}

static enum err_code
take_look(struct api_request *rq, struct look_spec *out, struct err *err)
{
    *out = (struct look_spec){.model = api_request_model(rq), .name = api_request_name(rq)};
    TRY(api_request_query_copy(rq, "checkpoint", &out->checkpoint, err));
    TRY(api_request_query_copy(rq, "against", &out->against, err));
    out->compared = out->against != NULL;
    if (out->compared && strcmp(out->against, AGAINST_VARIABLE) == 0)
        out->against = NULL;
    return OK;
}

static enum err_code
reply_etag(struct api_request *rq, struct api_reply *rp, const struct look *look, bool compared,
           const char *format, bool *done, struct err *err)
{
    char part[API_REPRESENTATION_BYTES_MAX], representation[API_REPRESENTATION_BYTES_MAX + 32];

    (void)api_representation(rq, format, part);
    if (compared)
        snprintf(representation, sizeof representation, "%s-%" PRIu64, part,
                 look->against.revision);
    else
        snprintf(representation, sizeof representation, "%s", part);
    return api_reply_etag(rq, rp, look->value.revision, representation, done, err);
}

static enum err_code
print_json(struct api_request *rq, const struct look *look, const struct preview_spec *spec,
           const struct preview *p, struct buf *out, struct err *err)
{
    const struct tensor_view tile = tensor_view_of(&p->tile);
    char shape[SHAPE_TEXT_BYTES_MAX];

    TRY(buf_append_text(out, "{\"name\":", err));
    TRY(api_json_escape(bytes_of_text(api_request_name(rq)), out, err));
    TRY(buf_printf(out, err, ",\"dtype\":\"%s\",\"shape\":%s,\"revision\":%" PRIu64,
                   dtype_name(look->value.type.dtype), shape_text(&look->value.type.shape, shape),
                   look->value.revision));
    TRY(buf_printf(out, err,
                   ",\"view\":[%" PRIu64 ",%" PRIu64 "],\"rows\":[%" PRIu64 ",%" PRIu64
                   "],\"cols\":[%" PRIu64 ",%" PRIu64 "],\"reduce\":\"%s\"",
                   p->view_rows, p->view_cols, p->rows.begin, p->rows.end, p->cols.begin,
                   p->cols.end, reduce_names[spec->reduce]));
    TRY(buf_printf(out, err, ",\"height\":%" PRIu64 ",\"width\":%" PRIu64 ",\"data\":",
                   tile.type.shape.dims[0], tile.type.shape.dims[1]));
    TRY(api_tensor_text(&tile, out, err));
    return buf_append_text(out, "}", err);
}

static enum err_code
print_npy(struct api_reply *rp, const struct preview *p, struct buf *out, struct err *err)
{
    const struct shape *shape = &p->tile.type.shape;

    TRY(api_npy_header_encode(&p->tile.type, API_NPY_V2_UNKNOWN, out, err));
    TRY(buf_append(out, p->tile.data, p->tile.size, err));
    TRY(api_reply_header(rp, "Content-Disposition", err, "attachment"));
    TRY(api_reply_header(rp, "Tensor-Dtype", err, "%s", dtype_name(DTYPE_FLOAT32)));
    return api_reply_header(rp, "Tensor-Shape", err, "%" PRIu64 ",%" PRIu64, shape->dims[0],
                            shape->dims[1]);
}

enum err_code
api_preview(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    static const struct api_choice choices[] = {
        {"npy", "application/x-npy", "application/octet-stream"},
        {"json", "application/json", NULL},
    };
    AUTO(look) look = {.snapshot = NULL};
    AUTO(preview) preview = {.view_rows = 0};
    AUTO(buf) out;
    struct preview_spec spec;
    struct look_spec source;
    size_t choice = 0;
    bool done = false;

    buf_init(&out, REPLY_BYTES_MAX);
    TRY(api_negotiate_choice(rq, rp, choices, sizeof choices / sizeof choices[0], &choice, err));
    TRY(take_preview(rq, &spec, err));
    TRY(take_look(rq, &source, err));
    TRY(look_open(api_request_service(rq), &source, &look, err));
    TRY(reply_etag(rq, rp, &look, source.compared, choices[choice].name, &done, err));
    if (done)
        return OK;
    TRY(preview_make(&look, &spec, &preview, err));
    TRY(choice == 0 ? print_npy(rp, &preview, &out, err)
                    : print_json(rq, &look, &spec, &preview, &out, err));
    return api_reply_buf(rp, 200, choices[choice].media_type, &out, err);
}
